// Small things that every page needs.

{
  // What scrolls can be reached by keyboard; what does not scroll stays out of the way.
  const boxes = new ResizeObserver((entries) => {
    const scrolling = entries.map(({ target }) => target.scrollWidth > target.clientWidth);
    entries.forEach(({ target }, index) => {
      if (scrolling[index]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });
  document
    .querySelectorAll(".highlight pre, .math-scroll, .table-wrapper, figure.pyfigure")
    .forEach((box) => boxes.observe(box));

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
