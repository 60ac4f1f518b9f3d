// Runs before anything is drawn, so that a page never flashes in the other theme, and says that
// there are scripts.

document.documentElement.classList.replace("no-js", "js");
try {
  localStorage.getItem("theme");
} catch {
  // A reader who blocks storage gets one that keeps nothing; every script here asks for it.
  const nothing = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  Object.defineProperty(window, "localStorage", { value: nothing });
}
document.body.dataset.theme = localStorage.getItem("theme") || "auto";
