// Small things that every page needs.

{
  // What scrolls can be reached by keyboard, and says what it is; what does not scroll stays out of
  // the way. A figure has a role and a caption of its own.
  const boxes = new ResizeObserver((entries) => {
    const scrolling = entries.map(({ target }) => target.scrollWidth > target.clientWidth);
    entries.forEach(({ target }, index) => {
      const attributes = { tabindex: "0" };
      if (target.localName !== "figure") {
        attributes.role = "group";
        attributes["aria-label"] = "Wider than the page: scrolls sideways";
      }
      for (const [name, value] of Object.entries(attributes)) {
        if (scrolling[index]) target.setAttribute(name, value);
        else target.removeAttribute(name);
      }
    });
  });
  const SCROLLING = ".math-scroll, .highlight pre, .table-wrapper, figure.pyfigure";
  document.querySelectorAll(SCROLLING).forEach((box) => boxes.observe(box));

  // What takes the focus inside them is shown whole: browsers are content with a pixel of it.
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(":focus-visible") && target.parentElement?.closest(SCROLLING))
      target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  // Sphinx's link that takes the search's marks away is a javascript: address, which a strict
  // Content-Security-Policy refuses.
  document.getElementById("searchbox")?.addEventListener("click", (event) => {
    if (!event.target.closest(".highlight-link a")) return;
    event.preventDefault();
    SphinxHighlight.hideSearchWords();
  });

  // The list of versions names every page of every version: it is fetched when it is wanted.
  document.querySelector(".version-switcher details")?.addEventListener(
    "toggle",
    ({ target }) => {
      const script = document.createElement("script");
      script.src = `${target.parentElement.dataset.root}versions.js`;
      document.body.append(script);
    },
    { once: true },
  );
}
