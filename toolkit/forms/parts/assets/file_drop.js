// A place to put a file: by a click, by dragging, or with the keyboard. It is read
// here piece by piece, and each piece is asked for, so that large files pass.

const PIECE = 1 << 20;

function render({ model, el }) {
  el.classList.add("tk-drop-box");
  const zone = document.createElement("button");
  zone.type = "button";
  zone.className = "tk-drop";
  zone.setAttribute("data-tk-own-keys", "");
  const input = document.createElement("input");
  input.type = "file";
  input.accept = model.get("accept");
  input.hidden = true;
  input.tabIndex = -1;
  el.append(zone, input);
  let file = null;
  let number = 0;

  const say = () => {
    const [name, done, total] = [model.get("name"), model.get("received"), model.get("size")];
    if (total && done < total) {
      zone.textContent = `Reading ${name}: ${Math.floor((100 * done) / total)}%`;
    } else {
      zone.textContent = model.get("label");
    }
  };

  const take = (files) => {
    if (!files.length) return;
    file = files[0];
    number += 1;
    model.send({ type: "file", number, name: file.name, size: file.size });
  };

  const onMessage = async (content) => {
    if (content.type !== "piece" || content.number !== number || file === null) return;
    const mine = number;
    try {
      const data = await file.slice(content.start, content.start + PIECE).arrayBuffer();
      if (mine === number) {
        model.send({ type: "piece", number, start: content.start }, undefined, [data]);
      }
    } catch (error) {
      model.send({ type: "failed", number, reason: String(error) });
    }
  };

  zone.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      event.stopPropagation();
      zone.classList.add("tk-drop-over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("tk-drop-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove("tk-drop-over");
    take(event.dataTransfer.files);
  });
  model.on("msg:custom", onMessage);
  for (const part of ["label", "received", "size", "name"]) model.on(`change:${part}`, say);
  say();
  return () => {
    model.off("msg:custom", onMessage);
    for (const part of ["label", "received", "size", "name"]) model.off(`change:${part}`, say);
  };
}

export default { render };
