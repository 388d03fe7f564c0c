// The unmodified client: every people and groups method, events, batches.
// node mixpanel.js PORT TOKEN
const Mixpanel = require("mixpanel");

const [port, token] = process.argv.slice(2);
const client = Mixpanel.init(token, {
  host: "127.0.0.1", port: Number(port), protocol: "http", keepAlive: false, key: "api key",
});
const loud = Mixpanel.init(token, {
  host: "127.0.0.1", port: Number(port), protocol: "http", keepAlive: false, verbose: true,
});

// One after the other, as their order matters; each fails the process if its answer is an error.
const sent = (send) =>
  new Promise((resolve, reject) => {
    send((first) => {
      const errors = [first].flat().filter(Boolean);
      return errors.length ? reject(errors[0]) : resolve();
    });
  });

(async () => {
  const people = client.people;
  await sent((done) => people.set("1", { $name: "Ann", plan: "free", gone: 1, "é": "ü+&=" }, done));
  await sent((done) => people.set("1", "age", 41, done));
  await sent((done) => people.set_once("1", "plan", "never", done));
  await sent((done) => people.increment("1", "visits", done));
  await sent((done) => people.increment("1", { visits: 2, score: -1.5 }, done));
  await sent((done) => people.append("1", "seen", "Tent", done));
  await sent((done) => people.append("1", { seen: "Map" }, done));
  await sent((done) => people.union("1", { tags: ["a", "b"] }, done));
  await sent((done) => people.remove("1", { seen: "Tent" }, done));
  await sent((done) => people.unset("1", "gone", done));
  await sent((done) => people.track_charge("1", 50, { $time: new Date("2026-01-02T03:04:05Z") }, done));
  await sent((done) => people.set("2", "x", 1, { $ignore_time: true, $ip: "0" }, done));
  await sent((done) => people.clear_charges("2", done));
  await sent((done) => people.set("3", "x", 1, done));
  await sent((done) => people.delete_user("3", done));

  const groups = loud.groups;
  await sent((done) => groups.set("company", "acme", { $name: "Acme", gone: 1 }, done));
  await sent((done) => groups.set_once("company", "acme", "$name", "never", done));
  await sent((done) => groups.union("company", "acme", { tags: ["a", "b"] }, done));
  await sent((done) => groups.remove("company", "acme", { tags: "a" }, done));
  await sent((done) => groups.unset("company", "acme", "gone", done));
  await sent((done) => groups.set("company", "gone", "x", 1, done));
  await sent((done) => groups.delete_group("company", "gone", done));

  await sent((done) => client.track("Buy", { distinct_id: "1", amount: 12.5 }, done));
  await sent((done) =>
    client.track_batch(
      [...Array(120).keys()].map((n) => ({ event: "Tick", properties: { distinct_id: "1", n } })),
      done,
    ),
  );
  await sent((done) =>
    client.import("Old", new Date("2020-01-01T00:00:00Z"), { distinct_id: "2" }, done),
  );
  await sent((done) =>
    client.import_batch(
      [{ event: "Old", properties: { distinct_id: "3", time: new Date("2020-01-02T00:00:00Z") } }],
      done,
    ),
  );
  await sent((done) => client.alias("1", "one", done));

  // What is wrong is told.
  const wrong = await sent((done) => loud.people.set("", "x", 1, done)).catch((error) => error);
  if (!/the distinct ID is empty/.test(wrong?.message)) throw new Error(`no complaint: ${wrong}`);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
