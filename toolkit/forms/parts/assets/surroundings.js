// What a form must know of the page: keys pressed in it, a light or dark theme,
// and whether the kernel still answers.

const ANSWER_WITHIN = 8000; // milliseconds
const RECENT = 10000; // typed so many milliseconds ago, it may still be on its way
const BUSY = "The kernel is busy or gone. What you typed is still here.";

function luminance(colour) {
  const parts = colour.match(/[\d.]+/g);
  if (!parts || (parts.length > 3 && Number(parts[3]) === 0)) return null;
  const [red, green, blue] = parts.map(Number);
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
}

function isDark(node) {
  for (let at = node; at; at = at.parentElement) {
    const found = luminance(getComputedStyle(at).backgroundColor);
    if (found !== null) return found < 0.5;
  }
  return false;
}

function ownsEnter(target) {
  // A button, a link or an open list does its own thing; in a long text Enter is a new line.
  if (target.closest("[data-tk-own-keys]")) return true;
  if (target.closest(".jupyter-widget-tagsinput") && target.value) return true;
  return ["BUTTON", "A", "SUMMARY", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function render({ model, el }) {
  el.style.display = "none";
  let root = null;
  let asked = 0;
  let waiting = null;
  let typed = 0; // when something was last typed
  let passed = null; // the button whose click is let through

  const lookAround = () => {
    const dark = isDark(root);
    if (root.classList.contains("tk-dark") !== dark) root.classList.toggle("tk-dark", dark);
    if (model.get("dark") !== dark) {
      model.set("dark", dark);
      model.save_changes();
    }
  };

  // What was typed last may still be on its way to the kernel, held back while it is
  // busy. A question is put to the kernel, and whatever follows its answer comes after.
  const whenTypedHasArrived = (what, then) => {
    asked += 1;
    const mine = { number: asked, what, then };
    waiting = mine;
    model.send({ type: "ping", number: asked });
    setTimeout(() => {
      if (waiting === mine) root.dataset.tkBanner = BUSY;
    }, ANSWER_WITHIN);
  };

  const onMessage = (content) => {
    if (content.type === "failed") {
      // Once the note is drawn: whoever pressed something far below shall see it.
      const look = () => root?.querySelector(":scope > .tk-failure")?.scrollIntoView({ block: "nearest" });
      setTimeout(look, 100);
    }
    if (content.type !== "pong" || waiting === null || content.number !== waiting.number) return;
    const { then } = waiting;
    waiting = null;
    delete root.dataset.tkBanner;
    // In a task of its own: what was held back is sent in this one.
    setTimeout(then, 0);
  };

  const isOurs = (event) => event.target.closest(".tk-form") === root; // not of a form within

  const onKey = (event) => {
    if (event.isComposing || event.altKey) return;
    const forced = event.ctrlKey || event.metaKey;
    const isEnter = event.key === "Enter" && (forced || !ownsEnter(event.target));
    if (!isEnter && event.key !== "Escape") return;
    if (!model.get("listens").includes(event.key) || !isOurs(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const { key } = event;
    whenTypedHasArrived(key, () => model.send({ type: "key", key }));
  };

  const onInput = () => {
    typed = Date.now();
  };

  // A field of tags has a title and no label: who hears the page would not know what it is.
  const onFocus = (event) => {
    // On the form alone it is not enough: the notebook's arrows and letters are for
    // whatever has the focus and cannot be typed in, such as a list or a button.
    event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    const tags = event.target.closest(".jupyter-widget-tagsinput");
    if (tags && tags.title) event.target.setAttribute("aria-label", tags.title);
  };

  // The title of a tick is its label as it travels, which is HTML; to be read, it is text.
  const onPoint = (event) => {
    const words = event.target.closest(".widget-checkbox")?.querySelector(".widget-label-basic span");
    if (words && words.title) {
      words.title = words.textContent;
      words.parentElement.querySelector("input").title = words.textContent;
    }
  };

  // ipywidgets gives the handle of a slider no name.
  const nameSliders = () => {
    for (const handle of root.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const label = handle.closest(".widget-slider")?.querySelector(".widget-label");
      if (label) handle.setAttribute("aria-label", label.textContent);
    }
  };

  const onClick = (event) => {
    const button = event.target.closest("button.jupyter-button");
    if (!button || button === passed || !isOurs(event)) return;
    if (Date.now() - typed > RECENT) return;
    event.preventDefault();
    event.stopPropagation();
    if (waiting !== null && waiting.what === button) return; // a double click is one
    whenTypedHasArrived(button, () => {
      passed = button;
      button.click();
      passed = null;
    });
  };

  const watcher = new MutationObserver(() => root && lookAround());
  const drawn = new MutationObserver(() => root && nameSliders());
  let tries = 0;
  const attach = () => {
    root = el.closest(".tk-form");
    if (!root) {
      tries += 1;
      if (tries < 1200) requestAnimationFrame(attach);
      return;
    }
    root.setAttribute("role", "form");
    root.setAttribute("aria-label", model.get("name"));
    // The notebook's single-letter commands are not for those who work in a form.
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    // On the way down: fields of ipywidgets keep their keys to themselves.
    root.addEventListener("keydown", onKey, true);
    root.addEventListener("input", onInput, true);
    root.addEventListener("focusin", onFocus);
    root.addEventListener("focusin", onPoint);
    root.addEventListener("pointerover", onPoint);
    root.addEventListener("click", onClick, true);
    watcher.observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "style", "data-jp-theme-name", "data-jp-theme-light"],
    });
    drawn.observe(root, { childList: true, subtree: true });
    lookAround();
    nameSliders();
  };

  model.on("msg:custom", onMessage);
  attach();
  return () => {
    watcher.disconnect();
    drawn.disconnect();
    model.off("msg:custom", onMessage);
    if (!root) return;
    root.removeEventListener("keydown", onKey, true);
    root.removeEventListener("input", onInput, true);
    root.removeEventListener("focusin", onFocus);
    root.removeEventListener("focusin", onPoint);
    root.removeEventListener("pointerover", onPoint);
    root.removeEventListener("click", onClick, true);
  };
}

export default { render };
