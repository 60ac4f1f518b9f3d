// List the versions in the sidebar, so that a reader changes the version and keeps the page.
// build_versions.py writes `bookVersions` above this text, at the root of the site: one file for
// every version, old ones too, that also works from a disk (where fetch does not).

function versionEntry(version, { current, page, root }) {
  const here = version.name === current;
  const has = version.pages.includes(page);
  const link = document.createElement("a");
  link.href = root + version.url + (has ? page + location.hash : "index.html");
  link.textContent = version.name;
  if (here) link.setAttribute("aria-current", "true");
  const marks = [
    version.stable && "stable",
    here && "this one",
    !has && "lacks this page: goes to its front page",
  ].filter(Boolean);
  const item = document.createElement("li");
  item.append(link, marks.length ? ` (${marks.join("; ")})` : "");
  return item;
}

// Releases up to 0.2 have a bare link, and fetch this file with the page.
function foldedLink(link) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = link.textContent;
  link.textContent = "All versions";
  link.before(details);
  details.append(summary, link);
  return details;
}

for (const box of document.querySelectorAll(".version-switcher")) {
  const all = box.querySelector("a");
  const list = document.createElement("ul");
  const fill = () => list.replaceChildren(...bookVersions.map((v) => versionEntry(v, box.dataset)));
  fill();
  addEventListener("hashchange", fill);
  (box.querySelector("details") ?? foldedLink(all)).firstElementChild.after(list);
}
