// Turn the sidebar's link to the list of versions into that list, kept on the reader's page.
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

for (const box of document.querySelectorAll(".version-switcher")) {
  const all = box.querySelector("a");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const list = document.createElement("ul");
  summary.textContent = all.textContent;
  all.textContent = "All versions";
  const fill = () => list.replaceChildren(...bookVersions.map((v) => versionEntry(v, box.dataset)));
  fill();
  addEventListener("hashchange", fill);
  details.append(summary, list, all);
  box.append(details);
}
