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

  // Some part of it, or of what floats in it, is inside the window and on top.
  const PARTS = [0.01, 0.25, 0.5, 0.75, 0.99].flatMap((x) => [[x, 0.5], [0.5, x]]);
  const seen = (element) =>
    [element, ...element.querySelectorAll("*")]
      .flatMap((part) => [...part.getClientRects()])
      .some(({ left, top, width, height }) =>
        PARTS.some(([x, y]) => {
          const pile = document.elementsFromPoint(left + x * width, top + y * height);
          return element.contains(pile.find((part) => getComputedStyle(part).opacity > 0) ?? null);
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
