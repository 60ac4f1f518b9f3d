"""Try in Chromium what a page's scripts do; ``nox -s browser`` runs this."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from build_versions import write_root
from tests.site.server import serve

from .conftest import PROGRAM

ROOT = Path(__file__).parents[2]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=3000",
]
VERSIONS: list[dict[str, Any]] = [
    {
        "name": "latest",
        "date": None,
        "stable": False,
        "pages": ["index.html", "deep/a.html", "b.html"],
    },
    {"name": "1.1", "date": "2026-02-01", "stable": True, "pages": ["index.html", "b.html"]},
    {"name": "1.0", "date": "2026-01-01", "stable": False, "pages": ["index.html", "deep/a.html"]},
]


def dump(address: str, profile: Path, *options: str) -> str:
    """Load a page and return its document as it is after its scripts ran."""
    command = [PROGRAM, *QUIET, f"--user-data-dir={profile}", *options, "--dump-dom", address]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Lay out three versions of a site with the book's own sidebar, one of them lacking a page."""
    template = Environment(loader=FileSystemLoader(ROOT / "docs" / "_templates")).get_template(
        "sidebar/versions.html"
    )
    for version in VERSIONS:
        for page in version["pages"]:
            path = tmp_path / "site" / version["name"] / page
            path.parent.mkdir(parents=True, exist_ok=True)
            sidebar = template.render(
                versions_current=version["name"],
                pagename=page.removesuffix(".html"),
                file_suffix=".html",
                pathto=lambda target, page=page, **_: "../" * page.count("/") + target,
            )
            # shell.js asks for the script once the list is unfolded; releases up to 0.2 at once.
            if version["name"] == "1.0":
                sidebar = re.sub(r"</?details>|<summary>.*</summary>", "", sidebar)
                sidebar = sidebar.replace("All versions", "Version: 1.0")
            script = f'<script src="{"../" * page.count("/")}../versions.js"></script>'
            path.write_text(f"<!doctype html><title>{page}</title>{sidebar}{script}")
    write_root(
        tmp_path / "site", [version | {"url": f"{version['name']}/"} for version in VERSIONS]
    )
    return tmp_path / "site"


def test_an_address_with_a_stray_sign_stops_no_script(tmp_path: Path) -> None:
    folds = (ROOT / "docs" / "_static" / "folds.js").read_text("utf-8")
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><script>{folds}document.title = 'after'</script>")
    assert "<title>after</title>" in dump(f"{page.as_uri()}#100%", tmp_path / "profile")


def entries(document: str) -> list[tuple[str, str]]:
    """Target and text of the entries of the list of versions."""
    return [
        (target, re.sub("<[^>]*>", "", text))
        for target, text in re.findall(r'<li><a href="([^"]*)"(.*?</a>.*?)</li>', document)
    ]


def test_the_switcher_stays_on_the_page_where_it_can(site: Path, tmp_path: Path) -> None:
    document = dump((site / "latest" / "deep" / "a.html").as_uri() + "#part", tmp_path / "profile")
    assert [target for target, _ in entries(document)] == [
        "../../latest/deep/a.html#part",
        "../../1.1/index.html",
        "../../1.0/deep/a.html#part",
    ]
    assert "<summary>Version: latest</summary>" in document
    latest, lacking, other = (text.split(">", 1)[1] for _, text in entries(document))
    assert latest == "latest (this one)"
    assert lacking == "1.1 (stable; lacks this page: goes to its front page)"
    assert other == "1.0"
    assert document.count("aria-current") == 1
    assert 'href="../../versions.html"' in document


def test_the_copy_called_stable_is_the_version_that_it_copies(site: Path, tmp_path: Path) -> None:
    document = dump((site / "stable" / "b.html").as_uri(), tmp_path / "profile")
    assert "<summary>Version: 1.1</summary>" in document
    assert ">1.1 (stable; this one)" in str(entries(document))


def test_a_release_with_a_bare_link_gets_the_same_list(site: Path, tmp_path: Path) -> None:
    document = dump((site / "1.0" / "deep" / "a.html").as_uri(), tmp_path / "profile")
    assert re.search(r"<details><summary>Version: 1.0</summary><ul><li>", document)
    assert '</ul><a href="../../versions.html">All versions</a></details>' in document
    assert len(entries(document)) == 3


def test_without_scripts_a_link_leads_to_the_list(site: Path, tmp_path: Path) -> None:
    (site / "versions.js").unlink()
    for name, text in (("latest", "All versions"), ("1.0", "Version: 1.0")):
        document = dump((site / name / "deep" / "a.html").as_uri(), tmp_path / "profile")
        assert f'<a href="../../versions.html">{text}</a>' in document


@pytest.fixture(scope="module")
def served(built_book: Path) -> Iterator[str]:
    """Serve the real book."""
    with serve(built_book / "latest") as address:
        yield address.removesuffix("/latest/")


@pytest.mark.parametrize(
    "page",
    [
        "index.html",
        "search.html?q=softmax",
        "chapters/01-intuition.html",
        "chapters/04-attention.html",
    ],
)
def test_a_page_requests_nothing_from_another_host(served: str, tmp_path: Path, page: str) -> None:
    log = tmp_path / "net.json"
    dump(f"{served}/latest/{page}", tmp_path / "profile", f"--log-net-log={log}")
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # Chromium asks for things of its own accord too; those have no page as their initiator.
    asked = {event["url"] for event in events if event.get("initiator") == served}
    assert any(address.startswith(f"{served}/latest/_static/bundle.js") for address in asked)
    assert not sorted(address for address in asked if not address.startswith(f"{served}/"))
