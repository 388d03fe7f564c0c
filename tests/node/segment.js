// The unmodified client of Segment, all its calls.
// node segment.js URL WRITE_KEY
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, maxRetries: 0 });
let failed = null;
analytics.on("error", (error) => (failed = error));

analytics.identify({
  userId: "7",
  traits: { email: "ann@mail.example", firstName: "Ann", createdAt: new Date(0), plan: "pro" },
  context: { ip: "1.2.3.4" },
});
analytics.group({ userId: "7", groupId: "acme", traits: { name: "Acme" } });
analytics.track({
  userId: "7", event: "Buy", properties: { amount: 5 }, context: { groupId: "acme" },
});
analytics.page({ userId: "7", name: "Start", category: "Docs" });
analytics.screen({ anonymousId: "anon", name: "Home" });
analytics.alias({ userId: "7", previousId: "anon" });
analytics.closeAndFlush().then(() => {
  if (failed) {
    console.error(failed);
    process.exit(1);
  }
});
