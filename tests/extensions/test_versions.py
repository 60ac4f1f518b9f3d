"""Versions beside each other: each from its own source, listed, linked and built once."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import build_versions
from build_versions import (
    POLICY,
    Release,
    build_latest,
    build_site,
    headers,
    read_releases,
    write_root,
)

DOCS = Path(__file__).parents[2] / "docs"
BASE = "https://example.org/book/"
CONF = """\
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "src")]
from toy import VERSION

project = "Toy"
release = VERSION
extensions = ["_extensions.versions"]
templates_path = ["_templates"]
html_theme = "furo"
html_copy_source = False
rst_epilog = f".. |from| replace:: source {VERSION}"
"""


class Links(HTMLParser):
    """Collect the targets of a page's links and scripts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [
            value
            for key, value in attrs
            if value and (tag, key) in {("a", "href"), ("script", "src")}
        ]


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Toy", "-c", "user.email=toy@example.org", "-c", "gc.auto=0"]
    day = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=root,
        env=os.environ | day,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(root: Path, version: str, *pages: str) -> None:
    """Lay out the toy project in one version."""
    docs = root / "docs"
    shutil.rmtree(docs / "deep", ignore_errors=True)
    for folder in ("_extensions", "_templates/sidebar", "deep"):
        (docs / folder).mkdir(parents=True, exist_ok=True)
    (root / "src").mkdir(exist_ok=True)
    (root / "src" / "toy.py").write_text(f'VERSION = "{version}"\n')
    (docs / "conf.py").write_text(CONF)
    (docs / "_extensions" / "__init__.py").touch()
    for name in ("_extensions/versions.py", "_templates/sidebar/versions.html"):
        shutil.copy(DOCS / name, docs / name)
    toctree = "\n   ".join(f"deep/{page}" for page in pages)
    (docs / "index.rst").write_text(f"Toy\n===\n\n|from|\n\n.. toctree::\n\n   {toctree}\n")
    for page in pages:
        (docs / "deep" / f"{page}.rst").write_text(f"{page}\n=======\n\nText of {version}.\n")


def release_list(*releases: tuple[str, str]) -> str:
    return "".join(
        f'[[release]]\nversion = "{version}"\ndate = 2026-01-0{day}\ncommit = "{commit}"\n'
        for day, (version, commit) in enumerate(releases, start=1)
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commit three releases, the second of which lacks a page, and a working copy after them."""
    root = tmp_path_factory.mktemp("toy")
    git(root, "init", "--quiet")
    commits = []
    for version, pages in (("0.9", ["a", "b"]), ("0.10", ["a"]), ("1.0rc1", ["a", "b"])):
        write(root, version, *pages)
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", version)
        commits.append((version, git(root, "rev-parse", "HEAD")))
    write(root, "2.dev", "a", "b", "new")
    (root / "docs" / "releases.toml").write_text(release_list(*commits))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "after the releases")
    return root


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build all versions of the toy."""
    site = tmp_path_factory.mktemp("build") / "html"
    build_site(project, site)
    return site


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def versions(site: Path) -> dict[str, dict[str, object]]:
    return {entry["name"]: entry for entry in json.loads((site / "versions.json").read_text())}


def test_each_version_is_built_from_its_own_source(site: Path) -> None:
    for name, source in (
        ("latest", "2.dev"),
        ("0.9", "0.9"),
        ("0.10", "0.10"),
        ("1.0rc1", "1.0rc1"),
    ):
        assert f"source {source}" in (site / name / "index.html").read_text()
        assert f"Text of {source}." in (site / name / "deep" / "a.html").read_text()


def test_the_newest_final_release_is_stable(site: Path) -> None:
    assert contents(site / "stable") == contents(site / "0.10")
    assert [name for name, entry in versions(site).items() if entry["stable"]] == ["0.10"]
    assert "url=stable/index.html" in (site / "index.html").read_text()


def test_versions_are_listed_from_new_to_old_with_their_pages(site: Path) -> None:
    listed = versions(site)
    assert list(listed) == ["latest", "1.0rc1", "0.10", "0.9"]
    having = [name for name, entry in listed.items() if "deep/b.html" in str(entry["pages"])]
    assert having == ["latest", "1.0rc1", "0.9"]
    for entry in listed.values():
        assert isinstance(entry["pages"], list)
        assert all((site / str(entry["url"]) / page).exists() for page in entry["pages"])


def test_the_data_of_the_script_are_those_of_the_json_file(site: Path) -> None:
    script = (site / "versions.js").read_text()
    found = re.match(r"const bookVersions = (\[.*?\n\]);\n", script, re.DOTALL)
    assert found
    assert json.loads(found[1]) == json.loads((site / "versions.json").read_text())


@pytest.mark.parametrize("name", ["latest", "0.10", "stable"])
@pytest.mark.parametrize("page", ["index.html", "deep/a.html", "search.html"])
def test_every_page_reaches_the_list_and_the_script(site: Path, name: str, page: str) -> None:
    path = site / name / page
    reached = [
        os.path.normpath(path.parent / target)
        for target in Links(path).targets
        if "versions" in target
    ]
    assert reached == [str(site / "versions.html")]
    root = re.search(r'data-root="([^"]*)"', path.read_text())
    assert root
    assert os.path.normpath(path.parent / root[1]) == str(site)
    assert f'data-page="{page}"' in path.read_text()


def test_the_plain_pages_lead_to_every_version(site: Path) -> None:
    targets = Links(site / "versions.html").targets
    assert targets == [f"{name}/index.html" for name in versions(site)]
    assert all((site / target).exists() for target in targets + Links(site / "index.html").targets)


def test_a_release_is_built_once(project: Path, site: Path) -> None:
    page = site / "0.9" / "index.html"
    before = page.stat().st_mtime_ns
    build_site(project, site)
    assert page.stat().st_mtime_ns == before


def test_two_builds_from_scratch_are_equal(project: Path, site: Path, tmp_path: Path) -> None:
    clone = tmp_path / "a folder with another name"
    git(tmp_path, "clone", "--quiet", str(project), str(clone))
    build_site(clone, tmp_path / "other")
    assert contents(tmp_path / "other") == contents(site)


def test_a_shallow_clone_builds_what_it_has(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", project.as_uri(), str(clone))
    build_site(clone, tmp_path / "html")
    assert list(versions(tmp_path / "html")) == ["latest"]
    assert "url=latest/index.html" in (tmp_path / "html" / "index.html").read_text()
    assert "Left out: 1.0rc1, 0.10, 0.9, whose commits are not" in capsys.readouterr().out


def test_a_folder_without_git_builds_what_it_has(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".git"))
    monkeypatch.setenv("PATH", "")
    build_site(copy, tmp_path / "html")
    assert list(versions(tmp_path / "html")) == ["latest"]
    assert "Left out: 1.0rc1, 0.10, 0.9" in capsys.readouterr().out


def test_what_was_taken_back_is_taken_away(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    releases = copy / "docs" / "releases.toml"
    releases.write_text(release_list(("0.9", git(copy, "rev-parse", "HEAD~3"))))
    build_site(copy, tmp_path / "html")
    assert (tmp_path / "html" / "0.9").exists()
    assert (tmp_path / "html" / "latest" / "deep" / "new.html").exists()
    releases.write_text("")
    write(copy, "2.dev", "a", "b")
    build_site(copy, tmp_path / "html")
    assert list(versions(tmp_path / "html")) == ["latest"]
    assert not (tmp_path / "html" / "0.9").exists()
    assert not (tmp_path / "html" / "stable").exists()
    assert not (tmp_path / "html" / "latest" / "deep" / "new.html").exists()


def test_a_warning_stops_the_build(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".git"))
    (copy / "docs" / "index.rst").write_text("Toy\n===\n\n:doc:`nowhere`\n")
    with pytest.raises(RuntimeError, match="Version latest did not build"):
        build_site(copy, tmp_path / "html")


@pytest.mark.parametrize("on_read_the_docs", [False, True])
def test_a_build_without_neighbors_has_no_switcher(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_read_the_docs: bool
) -> None:
    options = []
    if on_read_the_docs:
        monkeypatch.setenv("READTHEDOCS", "True")
        options = ["-D", "versions_current=latest"]
    folders = [str(project / "docs"), str(tmp_path)]
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", *options, *folders], check=True)
    text = (tmp_path / "index.html").read_text()
    assert "sidebar-tree" in text
    assert "version" not in " ".join(Links(tmp_path / "index.html").targets)
    assert "version-switcher" not in text
    assert "readthedocs" not in text


@pytest.mark.parametrize("inline", ["<style>", "<script>", '<p style="top: 0">'])
def test_the_policy_is_sent_with_the_versions_that_obey_it(tmp_path: Path, inline: str) -> None:
    for name, text in (("latest", '<script src="a.js"></script>'), ("0.1", inline)):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a.html").write_text(text)
    rule = f"\n  Content-Security-Policy: {POLICY}\n"
    paths = ["/", "/index.html", "/versions.html", "/latest/*"]
    listed: list[dict[str, object]] = [{"name": "latest"}, {"name": "0.1"}]
    assert headers(tmp_path, listed) == "".join(path + rule for path in paths)
    below = headers(tmp_path, listed, "https://example.org/book/")
    assert below == "".join(f"/book{path}{rule}" for path in paths)


def test_a_changed_stylesheet_is_written_into_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        build_versions, "run_sphinx", lambda _docs, _out, *extra, **_: written.append(extra)
    )
    static = tmp_path / "docs" / "_static"
    static.mkdir(parents=True)
    (static.parent / "conf.py").touch()
    (tmp_path / "site" / "latest").mkdir(parents=True)
    for css in ("a", "a", "b"):
        (static / "book.css").write_text(css)
        build_latest(tmp_path, tmp_path / "site", tmp_path / "site")
        (tmp_path / "site" / "latest").mkdir(exist_ok=True)
    assert written == [("-a",), (), ("-a",)]


def test_what_a_failed_build_leaves_behind_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, ...]] = []

    def run(docs: Path, out: Path, *extra: str, **_: object) -> None:
        written.append(extra)
        out.mkdir(parents=True, exist_ok=True)
        for source in docs.glob("*.md"):
            (out / f"{source.stem}.html").write_text((docs / "conf.py").read_text())
        if "wrong" in (docs / "conf.py").read_text():
            raise RuntimeError("a warning")

    monkeypatch.setattr(build_versions, "run_sphinx", run)
    docs, site = tmp_path / "docs", tmp_path / "site"
    (docs / "_static").mkdir(parents=True)
    site.mkdir()
    out = site / "latest"

    def build(conf: str, *names: str, css: str = "") -> set[str]:
        (docs / "conf.py").write_text(conf)
        (docs / "_static" / "book.css").write_text(css)
        for source in docs.glob("*.md"):
            source.unlink()
        for name in names:
            (docs / f"{name}.md").touch()
        build_latest(tmp_path, site, site)
        return {path.stem for path in out.glob("*.html")}

    assert build("right", "a") == {"a"}
    with pytest.raises(RuntimeError):
        build("wrong", "a", "b", css="new")
    assert build("right", "a", css="new") == {"a"}
    assert written == [("-a",)] * 3
    # Without a failure before it, a changed page is no reason to start over.
    (out / "kept.html").touch()
    assert build("right", "a", css="new") == {"a", "kept"}
    assert written[-1] == ()


def test_a_wrong_list_of_releases_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "releases.toml"
    path.write_text(release_list(("1.0", "abc")))
    with pytest.raises(ValueError, match="40 hexadecimal digits; got 'abc'"):
        read_releases(path)
    path.write_text(release_list(("1.0", "a" * 40), ("1.0", "b" * 40)))
    with pytest.raises(ValueError, match=r"listed once; got 1\.0, 1\.0"):
        read_releases(path)
    path.write_text(release_list(("0.9", "a" * 40), ("0.10", "b" * 40)))
    assert read_releases(path)[0] == Release("0.10", "2026-01-02", "b" * 40)


def test_with_an_address_pages_of_releases_name_those_of_the_stable_one(
    project: Path, tmp_path: Path
) -> None:
    site = tmp_path / "html"
    build_site(project, site, BASE)
    for name in ("latest", "0.9", "0.10", "1.0rc1", "stable"):
        place = "latest" if name == "latest" else "stable"
        canonical = f'<link rel="canonical" href="{BASE}{place}/deep/a.html">'
        assert canonical in (site / name / "deep" / "a.html").read_text()


def test_the_root_has_the_newest_page_for_missing_addresses_and_names_site_maps(
    tmp_path: Path,
) -> None:
    versions = [{"name": "1.0", "date": "2026-01-01", "url": "1.0/", "stable": True, "pages": []}]
    for name in ("latest", "1.0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sitemap.xml").touch()
        (tmp_path / name / "404.html").write_text(name)
    write_root(tmp_path, versions, BASE)
    assert (tmp_path / "404.html").read_text() == "1.0"
    assert (tmp_path / "robots.txt").read_text() == (
        "User-agent: *\nAllow: /\n"
        f"Sitemap: {BASE}latest/sitemap.xml\nSitemap: {BASE}stable/sitemap.xml\n"
    )
    (tmp_path / "1.0" / "404.html").unlink()
    write_root(tmp_path, versions)
    assert (tmp_path / "404.html").read_text() == "latest"
    assert not (tmp_path / "robots.txt").exists()
