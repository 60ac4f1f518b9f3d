// What is wider than its place scrolls; here it can be reached, and so scrolled, by keyboard.
(() => {
  "use strict";
  const BOXES = ".math-scroll, .table-wrapper, figure.pyfigure, div.highlight pre";
  const REACHED = [["tabindex", "0"]];
  const NAMED = [["role", "group"], ["aria-label", "Wider than the page: scrolls sideways"]];

  function update(box) {
    const wide = box.scrollWidth > box.clientWidth;
    // A figure has a role and a caption already.
    const attributes = box.localName === "figure" ? REACHED : [...REACHED, ...NAMED];
    for (const [name, value] of attributes) {
      if (wide) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }

  // The observer also reports every box once, when it begins.
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => update(target)));
  for (const box of document.querySelectorAll(BOXES)) observer.observe(box);
})();
