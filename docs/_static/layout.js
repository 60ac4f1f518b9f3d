/* A chapter's sections below the first screen are laid out in the pauses after the page has come,
   a little at a time: laid out at once, they would keep a slow telephone from answering for a
   second. book.css skips them until then; without scripts it skips nothing. */

{
  const SHARE = 6; // milliseconds of a pause; the section that was begun is finished
  const pause = window.requestIdleCallback ?? setTimeout;
  const sections = [...document.querySelectorAll("article section section")];
  const layOut = () => {
    const end = performance.now() + SHARE;
    while (sections.length && performance.now() < end) {
      const section = sections.shift();
      section.dataset.laidOut = "";
      section.getBoundingClientRect(); // lays it out now: drawn together with it, it would take longer
    }
    if (sections.length) pause(layOut);
  };
  addEventListener("load", () => pause(layOut));
}
