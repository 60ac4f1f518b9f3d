// What tests/site/keyboard.py asks of a page. Everything hangs on one object of the window.
(() => {
  const MARKS = [
    "outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor",
    "color", "textDecorationLine", "opacity",
  ];
  const still = new CSSStyleSheet();
  still.replaceSync(`*, ::before, ::after {
    transition: none !important; animation: none !important; scroll-behavior: auto !important;
  }`);
  document.adoptedStyleSheets = [still];

  // The element and what encloses it closely: an input's frame may be what shows the focus.
  const looks = (element) =>
    [element, element.parentElement, element.parentElement?.parentElement]
      .filter(Boolean)
      .map((part) => MARKS.map((mark) => getComputedStyle(part)[mark]).join())
      .join("|");

  const name = (element) => {
    const text = (element.getAttribute("aria-label") || element.textContent).trim();
    const place = element.closest("[id]")?.id ?? "the page";
    return `<${element.localName} class="${element.getAttribute("class") ?? ""}"> ` +
      `"${text.replace(/\s+/g, " ").slice(0, 40)}" in ${place}`;
  };

  // Some part of it is inside the window and on top.
  const seen = (element) =>
    [...element.getClientRects()].some((box) =>
      [[0.5, 0.5], [0.05, 0.5], [0.95, 0.5], [0.5, 0.05], [0.5, 0.95]].some(([a, b]) => {
        const top = document.elementFromPoint(box.left + a * box.width, box.top + b * box.height);
        return top && (element.contains(top) || top.contains(element));
      }));

  const order = [];
  let last = null;
  let look = "";

  window.keyboard = {
    seen,
    name: () => name(document.activeElement),

    // To be called after every press of Tab: an element's looks are kept while it has the focus,
    // and must be others once it has lost it. The walk ends where it began, or at the page itself.
    step() {
      const faults = [];
      const element = document.activeElement;
      if (last && last !== element && last.isConnected && looks(last) === look)
        faults.push(`looks the same without the focus: ${name(last)}`);
      const home = element === document.body || element === order[0];
      const trapped = !home && order.includes(element);
      if (!home && !trapped || !order.length) {
        order.push(element);
        if (!seen(element)) faults.push(`has the focus out of sight: ${name(element)}`);
      }
      last = element;
      look = looks(element);
      return { faults, trapped, ended: home && order.length > 1, stops: order.length };
    },
  };
})();
