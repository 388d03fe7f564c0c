// A button that saves a file made by the kernel when it is pressed. The file is
// handed over as bytes; it never has an address outside this page.

function render({ model, el }) {
  el.classList.add("tk-download-box");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button lm-Widget tk-download";
  el.append(button);

  const say = () => {
    button.textContent = model.get("label");
  };
  const onMessage = (content, buffers) => {
    if (content.type !== "file") return;
    const bytes = buffers[0];
    const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const address = URL.createObjectURL(new Blob([data], { type: content.kind }));
    const link = document.createElement("a");
    link.href = address;
    link.download = content.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };

  button.addEventListener("click", () => model.send({ type: "want" }));
  model.on("msg:custom", onMessage);
  model.on("change:label", say);
  say();
  return () => {
    model.off("msg:custom", onMessage);
    model.off("change:label", say);
  };
}

export default { render };
