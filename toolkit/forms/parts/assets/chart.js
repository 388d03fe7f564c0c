// A chart as an image: what is near the pointer is named, and a click tells where it was.

const REACH = 0.03; // as a part of the width

function nearest(places, x, y, aspect) {
  let best = null;
  let least = REACH;
  for (const place of places) {
    const [left, top, right, bottom] = place;
    const across = Math.max(0, left - x, x - right);
    const down = Math.max(0, top - y, y - bottom) * aspect;
    const distance = Math.hypot(across, down);
    if (distance <= least) {
      best = place;
      least = distance;
    }
  }
  return best;
}

function render({ model, el }) {
  el.classList.add("tk-chart");
  const image = document.createElement("img");
  const tip = document.createElement("div");
  tip.className = "tk-chart-tip";
  tip.hidden = true;
  el.append(image, tip);
  let address = null;

  const draw = () => {
    if (address !== null) URL.revokeObjectURL(address);
    const png = model.get("png");
    const there = png && png.byteLength > 0;
    address = there ? URL.createObjectURL(new Blob([png], { type: "image/png" })) : null;
    if (there) image.src = address;
    else image.removeAttribute("src");
    image.hidden = !there;
    image.width = model.get("width");
    tip.hidden = true;
  };
  const describe = () => {
    image.alt = model.get("alt");
  };
  const age = () => el.classList.toggle("tk-old", model.get("old"));

  const place = (event) => {
    const box = image.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    return { x, y, box };
  };

  image.addEventListener("mousemove", (event) => {
    const { x, y, box } = place(event);
    const found = nearest(model.get("places"), x, y, box.height / box.width);
    image.style.cursor = found || model.get("crowded") ? "pointer" : "default";
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = found[4];
    const right = x > 0.6;
    tip.style.left = right ? "" : `${x * box.width + 14}px`;
    tip.style.right = right ? `${el.clientWidth - x * box.width + 10}px` : "";
    tip.style.top = `${Math.max(0, y * box.height - 12)}px`;
  });
  image.addEventListener("mouseleave", () => {
    tip.hidden = true;
  });
  image.addEventListener("click", (event) => {
    const { x, y } = place(event);
    model.send({ type: "click", x, y });
  });

  const watched = { png: draw, width: draw, alt: describe, old: age };
  for (const [name, action] of Object.entries(watched)) model.on(`change:${name}`, action);
  draw();
  describe();
  age();
  return () => {
    for (const [name, action] of Object.entries(watched)) model.off(`change:${name}`, action);
    if (address !== null) URL.revokeObjectURL(address);
  };
}

export default { render };
