// Code to copy into a cell: text, and a button that copies it.

function render({ model, el }) {
  el.classList.add("tk-code");
  const code = document.createElement("pre");
  code.className = "tk-json";
  code.tabIndex = 0;
  code.setAttribute("role", "group"); // what has no role may have no name
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button tk-code-copy";
  el.append(code, button);

  const say = (words) => {
    button.textContent = words;
  };
  const draw = () => {
    code.textContent = model.get("code");
    code.setAttribute("aria-label", model.get("label"));
    button.disabled = !model.get("code");
    say("Copy");
  };
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("code"));
      say("Copied");
    } catch {
      // A page that may not reach the clipboard: the reader's own keys can.
      select();
      say("Selected: press Ctrl+C");
    }
    setTimeout(() => say("Copy"), 3000);
  });

  model.on("change:code", draw);
  draw();
  return () => model.off("change:code", draw);
}

export default { render };
