"""Build the book: the working copy as ``latest``, and every release from its own commit.

Usage: ``python docs/build_versions.py [--latest] [--base-url URL] [output folder]``, by default
``build/html``, which becomes

    index.html     leads to stable/, or to latest/ as long as there is no release
    404.html       for an address that leads nowhere, where the host knows that name
    versions.html  a plain list of the versions; versions.json and versions.js say the same
    _headers       a Content-Security-Policy, in the format that Netlify and Cloudflare Pages read
    latest/        the working copy, rebuilt where something changed
    0.1.0/ ...     one folder a release of docs/releases.toml, built once
    stable/        a copy of the newest release that is no preview

A release is built with today's tools but from its own files: text, source, extensions, conf.py.
Warnings are errors. The same commit and the same tools give the same bytes.

With the URL under which all this will be published, pages name their canonical addresses (those of
releases lie in stable/), the picture that goes with a link, and there are site maps, which
robots.txt names. Without it, nothing depends on where the folder lies, save that the page for
missing addresses then expects it at the root of a host.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.version import Version

DOCS = Path(__file__).resolve().parent
POLICY = "default-src 'self'; img-src 'self' data:"
# What the policy forbids in a page. In code that a page shows, quotes are written as entities.
INLINE = ("<style", "<script>", ' style="')


# Python 3.13 names Path after a private module, under which no manual has it.
SPHINX = (
    sys.executable,
    "-c",
    "import pathlib, runpy; pathlib.Path.__module__ = 'pathlib'; "
    "runpy.run_module('sphinx', run_name='__main__')",
)


@dataclass(frozen=True, slots=True)
class Release:
    """One entry of releases.toml."""

    version: str
    date: str
    commit: str


def read_releases(path: Path) -> list[Release]:
    """Read the list of releases, newest version first."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("release", [])
    releases = [Release(e["version"], e["date"].isoformat(), e["commit"]) for e in entries]
    names = [release.version for release in releases]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: a version is listed once; got {', '.join(names)}")
    for release in releases:
        if len(release.commit) != 40 or not set(release.commit) <= set("0123456789abcdef"):
            raise ValueError(f"{path}: commit has 40 hexadecimal digits; got {release.commit!r}")
    return sorted(releases, key=lambda release: Version(release.version), reverse=True)


def git(root: Path, *arguments: str) -> bytes | None:
    """Return what git prints, or None where git, the repository or the object is missing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def toolchain() -> str:
    """Name the interpreter, the platform and every installed distribution."""
    tools = sorted({f"{found.name}=={found.version}" for found in distributions()})
    return "\n".join([platform.python_version(), sys.platform, platform.machine(), *tools])


def digest(text: str, files: list[Path] | None = None) -> str:
    """Fingerprint a text and the contents of files."""
    total = hashlib.sha256(text.encode())
    for file in files or []:
        total.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return total.hexdigest()


def commit_time(root: Path, commit: str) -> dict[str, str]:
    """Return the environment that makes a commit's time the time of the build."""
    seconds = git(root, "log", "-1", "--format=%ct", commit)
    return {"SOURCE_DATE_EPOCH": seconds.decode().strip()} if seconds else {}


def run_sphinx(
    docs: Path, out: Path, *extra: str, name: str, base: str, doctrees: Path, time: dict[str, str]
) -> None:
    """Build one version, whose pages belong under ``base`` if it is not empty.

    A warning is an error.
    """
    options = ["-W", "-n", "-q", "-j", "auto", "-D", f"versions_current={name}"]
    options += ["-D", f"html_baseurl={base}"] if base else []
    print(f"Building {name} ...", flush=True)
    done = subprocess.run(
        [*SPHINX, "-b", "html", *options, *extra, "-d", doctrees, docs, out],
        # Unless PYTHONWARNINGS is set, Sphinx prints deprecations that concern extensions' authors.
        env={"PYTHONWARNINGS": "", **os.environ, "PYTHONHASHSEED": "0", **time},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Version {name} did not build: see the warnings above.")


def build_latest(root: Path, site: Path, cache: Path, base: str = "") -> None:
    """Build the working copy; start over where Sphinx would not notice what changed."""
    docs, out, doctrees = root / "docs", site / "latest", cache / "latest"
    machinery = [
        docs / "conf.py",
        *sorted(docs.glob("_*/**/*.py")),
        *sorted(docs.glob("_*/**/*.html")),
        *sorted(docs.glob("_*/**/theme.conf")),
    ]
    assets = [*sorted(docs.glob("_*/**/*.css")), *sorted(docs.glob("_*/**/*.js"))]
    sources = sorted(
        path.relative_to(root).as_posix()
        for folder in (docs, root / "src")
        for path in folder.rglob("*")
        if path.suffix in {".md", ".rst", ".py"}
    )
    stamp = cache / "latest.json"
    now = {
        "tools": digest(toolchain(), machinery),
        "assets": digest("", assets),
        "sources": sources,
    }
    last = json.loads(stamp.read_text()) if stamp.exists() and out.exists() else {}
    if last.get("tools") != now["tools"] or not set(last["sources"]) <= set(sources):
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(doctrees, ignore_errors=True)
    # Every page names the stylesheet and the scripts with fingerprints of their contents.
    write_all = [] if last.get("assets") == now["assets"] else ["-a"]
    if write_all:  # viewcode compares its pages with the modules only
        shutil.rmtree(out / "_modules", ignore_errors=True)
    # Before the build: one that fails leaves files behind, though not all pages with new assets.
    stamp.write_text(json.dumps(now | {"assets": last.get("assets")}))
    run_sphinx(
        docs,
        out,
        *write_all,
        name="latest",
        base=base and f"{base}latest/",
        doctrees=doctrees,
        time=commit_time(root, "HEAD"),
    )
    stamp.write_text(json.dumps(now))


def build_release(root: Path, site: Path, cache: Path, release: Release, base: str) -> bool:
    """Build a release from its commit, once; return False where the commit is not here."""
    out, stamp = site / release.version, cache / f"{release.version}.stamp"
    fingerprint = digest(f"{release.commit}\n{base}\n{toolchain()}")
    if out.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return True
    # An archive rather than a work tree: it leaves nothing behind in the reader's repository.
    archive = git(root, "archive", "--format=zip", release.commit)
    if archive is None:
        return False
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            files.extractall(tree)
        run_sphinx(
            tree / "docs",
            out,
            name=release.version,
            # Search engines shall lead to the page of the newest release.
            base=base and f"{base}stable/",
            doctrees=Path(folder, "doctrees"),
            time=commit_time(root, release.commit),
        )
    stamp.write_text(fingerprint)
    return True


def version_data(site: Path, releases: list[Release]) -> list[dict[str, Any]]:
    """Describe the versions that were built, with the pages that each one has."""
    dates = {"latest": None} | {release.version: release.date for release in releases}
    stable = stable_version(releases)
    return [
        {
            "name": name,
            "date": date,
            "url": f"{name}/",
            "stable": name == stable,
            "pages": sorted(
                page.relative_to(site / name).as_posix() for page in (site / name).rglob("*.html")
            ),
        }
        for name, date in dates.items()
    ]


def stable_version(releases: list[Release]) -> str | None:
    """Name the newest release that is not a preview."""
    final = [r.version for r in releases if not Version(r.version).is_prerelease]
    return final[0] if final else None


def page(title: str, body: str, head: str = "") -> str:
    """Write a plain page of the site's root."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="description" content="{title}: language models through mathematics.">\n'
        f'<link rel="icon" href="latest/_static/favicon.svg">\n{head}<title>{title}</title>\n'
        f"</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )


def write_root(site: Path, versions: list[dict[str, Any]], base: str = "") -> None:
    """Write what lies beside the versions: the lists, the redirect, the copy called stable."""
    stable = next((version["name"] for version in versions if version["stable"]), None)
    shutil.rmtree(site / "stable", ignore_errors=True)
    if stable:
        shutil.copytree(site / stable, site / "stable")
    data = json.dumps(versions, indent=1)
    (site / "versions.json").write_text(f"{data}\n", encoding="utf-8")
    switcher = (DOCS / "_extensions" / "versions.js").read_text(encoding="utf-8")
    (site / "versions.js").write_text(
        f"const bookVersions = {data};\n\n{switcher}", encoding="utf-8"
    )
    rows = [
        f'<li><a href="{html.escape(v["url"])}index.html">{html.escape(v["name"])}</a>'
        f"{', released ' + v['date'] if v['date'] else ', the working copy'}"
        f"{' (stable)' if v['stable'] else ''}</li>\n"
        for v in versions
    ]
    (site / "versions.html").write_text(
        page("LLM Primer II: versions", f"<ul>\n{''.join(rows)}</ul>\n"), encoding="utf-8"
    )
    target = f"{'stable' if stable else 'latest'}/index.html"
    redirect = f'<meta http-equiv="refresh" content="0; url={target}">\n'
    (site / "index.html").write_text(
        page("LLM Primer II", f'<p><a href="{target}">To the book</a></p>\n', redirect),
        encoding="utf-8",
    )
    robots = ["User-agent: *", "Allow: /"]
    for name in ("latest", "stable"):  # releases before 0.3.0 have neither page nor map
        if (site / name / "404.html").exists():
            shutil.copy(site / name / "404.html", site)
        if (site / name / "sitemap.xml").exists():
            robots.append(f"Sitemap: {base}{name}/sitemap.xml")
    (site / "robots.txt").unlink(missing_ok=True)
    if base:
        (site / "robots.txt").write_text("\n".join([*robots, ""]), encoding="utf-8")
    (site / ".nojekyll").touch()
    (site / "_headers").write_text(headers(site, versions, base), encoding="utf-8")


def headers(site: Path, versions: list[dict[str, Any]], base: str = "") -> str:
    """Ask a static host to send the policy with the root's pages and with each version that obeys.

    Releases up to 0.2 have inline scripts and styles, and keep them. Paths are those from the root
    of the host.
    """
    root = urlsplit(base).path.rstrip("/")
    names = [*(version["name"] for version in versions), "stable"]
    folders = [site / name for name in names if (site / name).is_dir()]
    obeying = [folder for folder in folders if not any(map(has_inline, folder.rglob("*.html")))]
    paths = ["/", "/index.html", "/versions.html", *(f"/{folder.name}/*" for folder in obeying)]
    return "".join(f"{root}{path}\n  Content-Security-Policy: {POLICY}\n" for path in paths)


def has_inline(page: Path) -> bool:
    """Say whether a page has something that the policy forbids."""
    text = page.read_text(encoding="utf-8")
    return any(mark in text for mark in INLINE)


def build_site(root: Path, site: Path, base: str = "", *, only_latest: bool = False) -> None:
    """Build every version that this clone can, or the latest alone, and what joins them."""
    cache = site.parent / f"{site.name}-cache"
    cache.mkdir(parents=True, exist_ok=True)
    releases = read_releases(root / "docs" / "releases.toml")
    build_latest(root, site, cache, base)
    if only_latest:
        built = [one for one in releases if (cache / f"{one.version}.stamp").exists()]
        write_root(site, version_data(site, built), base)
        return
    built = [release for release in releases if build_release(root, site, cache, release, base)]
    names = {release.version for release in built}
    if missing := [release.version for release in releases if release not in built]:
        print(
            f"Left out: {', '.join(missing)}, whose commits are not in this copy of the project "
            "(a full clone has them; in a shallow one: git fetch --unshallow)."
        )
    for stamp in cache.glob("*.stamp"):
        if stamp.stem not in names:
            shutil.rmtree(site / stamp.stem, ignore_errors=True)
            stamp.unlink()
    write_root(site, version_data(site, built), base)


def main() -> None:
    """Build into the folder named on the command line and say where the book is."""
    root = DOCS.parent
    parser = argparse.ArgumentParser(description="Build the book, all its versions.")
    parser.add_argument("folder", nargs="?", type=Path, default=root / "build" / "html")
    parser.add_argument("--base-url", default="", metavar="URL", help="where it will be published")
    parser.add_argument("--latest", action="store_true", help="build the working copy alone")
    given = parser.parse_args()
    site, base = given.folder.resolve(), given.base_url
    try:
        base = f"{base.rstrip('/')}/" if base else ""
        build_site(root, site, base, only_latest=given.latest)
    except RuntimeError as error:
        sys.exit(str(error))
    print(f"\nThe book is in {site}")
    print(f"Open   {(site / 'index.html').as_uri()}")
    print(f'Serve  python -m http.server --directory "{site}"')


if __name__ == "__main__":
    main()
