/* A chapter's sections below the first screen are laid out in the pauses after the page has come,
   a little at a time: laid out at once, they would keep a slow telephone from answering for a
   second. book.css skips them until then; without scripts it skips nothing. */

{
  const ENOUGH = 15; // formulas in a pause
  const pause = window.requestIdleCallback ?? setTimeout;
  const sections = [...document.querySelectorAll("article section section")];
  const layOut = () => {
    for (let formulas = 0; sections.length && formulas < ENOUGH; ) {
      const section = sections.shift();
      section.dataset.laidOut = "";
      formulas += section.querySelectorAll("math").length;
    }
    if (sections.length) pause(layOut);
  };
  addEventListener("load", () => pause(layOut));
}
