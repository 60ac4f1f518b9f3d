// The drawers of a narrow page are popovers: the browser opens them at their buttons, and closes
// them with Escape and, without this script, at a click beside them. What it leaves out is here.

{
  const outside = (element) => {
    const others = [];
    for (; element !== document.body; element = element.parentElement) {
      others.push(...[...element.parentElement.children].filter((other) => other !== element));
    }
    return others;
  };

  for (const drawer of document.querySelectorAll("[popover]")) {
    const buttons = document.querySelectorAll(`[aria-controls="${drawer.id}"]`);
    const tell = (open) => buttons.forEach((button) => (button.ariaExpanded = open));
    let opener;

    // What is outside comes back before the drawer closes, so that it can take the focus.
    drawer.addEventListener("beforetoggle", ({ newState }) => {
      if (newState === "open") opener = document.activeElement;
      else outside(drawer).forEach((other) => (other.inert = false));
    });
    drawer.addEventListener("toggle", ({ newState }) => {
      tell(newState === "open");
      if (newState !== "open") return;
      outside(drawer).forEach((other) => (other.inert = true));
      drawer.querySelector("button, a").focus();
    });
    tell(false);

    // Tab stays inside. Escape closes, though Sphinx takes it from the browser for another use.
    document.addEventListener("keydown", (event) => {
      if (!drawer.matches(":popover-open")) return;
      const stops = [...drawer.querySelectorAll("a, button, input, summary")].filter(
        (stop) => stop.type !== "hidden" && stop.checkVisibility(),
      );
      const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
      const at = document.activeElement;
      if (event.key === "Escape") {
        drawer.hidePopover();
        opener.focus();
      } else if (event.key === "Tab" && (at === from || !drawer.contains(at))) {
        event.preventDefault();
        to.focus();
      }
    });

    // A browser does not notice clicks beside the drawer where nothing can be clicked. A link to a
    // place on this page leads out of the drawer.
    document.addEventListener("click", ({ target }) => {
      if (!drawer.contains(target) || target.closest("a[href*='#']")) drawer.hidePopover();
    });
    // The widths at which the two become drawers.
    for (const width of ["63em", "82em"]) {
      matchMedia(`(max-width: ${width})`).addEventListener("change", () => drawer.hidePopover());
    }
  }
}
