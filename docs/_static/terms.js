/* Definitions open by CSS alone, on a pointer, a tap or the keyboard; here they close again: on
   Escape, on a tap elsewhere, and when the term's button is pressed once more. */
{
  const close = (closed) => document.body.toggleAttribute("data-terms-closed", closed);
  const at = (event, places) => event.target instanceof Element && event.target.closest(places);
  const reopen = (event) => at(event, ".term") && close(false);
  document.addEventListener("focusin", reopen);
  document.addEventListener("pointerover", reopen);
  document.addEventListener("pointerdown", (event) => close(!at(event, ".term, .meaning")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(true);
    if (at(event, ".term") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      close();
    }
  });
}
