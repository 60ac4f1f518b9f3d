// Folds open by themselves; what leads into one, or wants to see all, opens it.

{
  const reveal = () => {
    let target;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return; // a stray per cent sign: no place of this page
    }
    const closed = [];
    for (let at = target; at; at = at.parentElement) {
      if (at.localName === "details" && !at.open) closed.push(at);
    }
    if (!closed.length) return;
    closed.forEach((fold) => (fold.open = true));
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Print all of it, also where ::details-content is unknown.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.fold:not([open])")];
    opened.forEach((fold) => (fold.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((fold) => (fold.open = false)));
}
