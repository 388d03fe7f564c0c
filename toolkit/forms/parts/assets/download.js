// A file the kernel offers: fetched piece by piece, then saved by the browser.

function render({ model, el }) {
  el.classList.add("tk-download");
  let offered = null;
  let pieces = [];
  let received = 0;
  let address = null;

  const ask = () => model.send({ type: "piece", number: offered.number, start: received });

  const forget = () => {
    if (address !== null) URL.revokeObjectURL(address);
    address = null;
    pieces = [];
    received = 0;
    el.replaceChildren();
  };

  const save = () => {
    address = URL.createObjectURL(new Blob(pieces, { type: offered.media_type }));
    pieces = [];
    const link = document.createElement("a");
    link.href = address;
    link.download = offered.name;
    link.textContent = offered.name;
    link.className = "tk-download-link";
    el.replaceChildren(document.createTextNode(`${model.get("label")} `), link);
    link.click();
  };

  const onMessage = (content, buffers) => {
    if (content.type === "offer") {
      forget();
      offered = content;
      if (offered.size === 0) save();
      else ask();
    } else if (content.type === "piece" && offered !== null && content.number === offered.number) {
      if (content.start !== received) return;
      pieces.push(buffers[0]);
      received += buffers[0].byteLength;
      if (received < offered.size) ask();
      else save();
    }
  };

  model.on("msg:custom", onMessage);
  return () => {
    model.off("msg:custom", onMessage);
    forget();
  };
}

export default { render };
