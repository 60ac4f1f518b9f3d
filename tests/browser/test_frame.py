"""The frame in Chromium: drawers by keyboard, folds, the theme, all under the strict policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_versions import POLICY
from tests.site.server import serve

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

PHONE, HEIGHT = 390, 800
CHAPTER = "chapters/01-one.html"
HERE = "document.activeElement"
DRAWERS = {"site-navigation": "nav-overlay-icon", "page-contents": "toc-header-icon"}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, build_toy: Callable[..., str]) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    build_toy(folder, "-D", "versions_current=latest")
    (folder / "versions.js").write_text("document.querySelector('nav summary').append('!');")
    # As build_versions.py lays it out: the versions beside each other, the scripts above them.
    (folder / "html").rename(folder / "latest")
    return folder


@pytest.fixture(scope="module")
def site(toy: Path) -> Iterator[str]:
    with serve(toy / "latest", {"Content-Security-Policy": POLICY}) as address:
        yield address.removesuffix("/")


def tab_to(browser: Browser, condition: str) -> None:
    """Press Tab until the focus is where it should be."""
    for _ in range(40):
        browser.press("Tab")
        if browser.see(condition):
            return
    raise AssertionError(f"never reached by Tab: {condition}")


def tabbed(browser: Browser, count: int, place: str, *, shift: bool = False) -> set[str]:
    """Press Tab, and say where the focus was: at a selector, or which element is outside of it."""
    seen = set()
    for _ in range(count):
        browser.press("Tab", shift=shift)
        inside = browser.see(f"!!{HERE}.closest('{place}')")
        seen.add(place if inside else browser.see(f"{HERE}.outerHTML"))
    return seen


@pytest.mark.parametrize("key", ["Enter", " "])
@pytest.mark.parametrize("drawer", DRAWERS)
def test_a_drawer_by_keyboard(browser: Browser, site: str, drawer: str, key: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    button = f"document.querySelector('.{DRAWERS[drawer]}')"
    tab_to(browser, f"{HERE} === {button}")
    assert browser.see(f"{button}.localName") == "button"
    assert browser.see(f"{button}.getAttribute('aria-label')")
    assert browser.see(f"{button}.getAttribute('aria-controls')") == drawer
    assert browser.see(f"{button}.getAttribute('aria-expanded')") == "false"
    assert browser.see(f"getComputedStyle({button}).outlineStyle") == "solid"

    browser.press(key)
    browser.wait(f"{button}.getAttribute('aria-expanded') === 'true'")
    browser.wait(f"!!{HERE}.closest('#{drawer}')")
    box = browser.see(
        f"JSON.stringify(document.getElementById('{drawer}').getBoundingClientRect())"
    )
    assert '"height":800' in box
    assert tabbed(browser, 25, f"#{drawer}") == {f"#{drawer}"}
    assert tabbed(browser, 25, f"#{drawer}", shift=True) == {f"#{drawer}"}

    browser.press("Escape")
    browser.wait(f"{button}.getAttribute('aria-expanded') === 'false'")
    assert browser.see(f"{HERE} === {button}")
    assert not browser.see("document.querySelector('[inert]')")
    assert not browser.problems()


def test_closed_drawers_are_not_reached(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    hidden = "#site-navigation, #page-contents"
    for _ in range(40):
        browser.press("Tab")
        assert not browser.see(f"{HERE}.closest('{hidden}')")


def test_a_link_and_a_click_beside_close_a_drawer(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    open_now = "document.querySelector(':popover-open')"
    browser.see("document.querySelector('.toc-header-icon').click()")
    browser.wait(f"!!document.querySelector('[inert]') && !!{open_now}")
    browser.see("""document.querySelector('#page-contents a[href="#another-part"]').click()""")
    browser.wait(f"location.hash === '#another-part' && !{open_now}")
    browser.see("document.querySelector('.nav-overlay-icon').click()")
    browser.wait(f"!!document.querySelector('[inert]') && !!{open_now}")
    browser.click(PHONE - 40, 400)
    browser.wait(f"!{open_now}")
    assert not browser.see("document.querySelector('[inert]')")


def test_drawers_open_without_scripts(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE, scripts=False)
    for name in DRAWERS.values():
        browser.click(*browser.center(f".{name}"))
        x, _ = browser.center(":popover-open .drawer-close")
        assert 0 < x < PHONE
        browser.press("Escape")
        browser.wait_without(":popover-open")


def test_a_wide_page_has_no_drawers(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=1400)
    for drawer in DRAWERS:
        box = f"document.getElementById('{drawer}')"
        assert browser.see(f"getComputedStyle({box}).position") == "static"
        assert browser.see(f"{box}.getBoundingClientRect().width") > 200
    assert not browser.see(
        "[...document.querySelectorAll('.drawer-button, .drawer-close')]"
        ".some((button) => button.checkVisibility())"
    )


def test_the_skip_link_leads_past_the_navigation(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}")
    browser.press("Tab")
    assert browser.see(f"{HERE}.className").startswith("skip-to-content")
    browser.press("Enter")
    browser.wait("location.hash === '#furo-main-content'")
    browser.press("Tab")
    assert browser.see(f"!!{HERE}.closest('#furo-main-content')")


def test_the_list_of_pages_unfolds_by_keyboard(browser: Browser, site: str) -> None:
    browser.open(f"{site}/index.html")
    tab_to(browser, f"{HERE}.classList.contains('toctree-checkbox')")
    below = f"{HERE}.parentElement.querySelector('ul').checkVisibility()"
    assert not browser.see(below)
    browser.press(" ")
    assert browser.see(below)


def test_only_what_scrolls_can_be_focused(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    browser.wait("document.querySelectorAll('pre[tabindex]').length === 1")
    browser.open(f"{site}/{CHAPTER}", width=1280)
    browser.wait("document.querySelectorAll('pre[tabindex]').length === 0")


def test_a_fold_by_keyboard_by_link_and_on_paper(browser: Browser, site: str) -> None:
    fold = "document.getElementById('sol-one')"
    browser.open(f"{site}/{CHAPTER}")
    tab_to(browser, f"{HERE} === {fold}.firstElementChild")
    browser.press("Enter")
    assert browser.see(f"{fold}.open")
    browser.press(" ")
    assert not browser.see(f"{fold}.open")
    for target in ("sol-one", "inside"):
        browser.open(f"{site}/{CHAPTER}#{target}")
        browser.wait(f"{fold}.open")
        browser.open(f"{site}/{CHAPTER}")
        browser.see(f"location.hash = '{target}'")
        browser.wait(f"{fold}.open")

    browser.open(f"{site}/{CHAPTER}", scripts=False)
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.center("#inside")  # laid out, though its fold is closed
    browser.call("Emulation.setEmulatedMedia", media="")


def test_the_theme_is_set_kept_and_survives_blocked_storage(browser: Browser, site: str) -> None:
    theme = "document.body.dataset.theme"
    browser.open(f"{site}/index.html")
    assert browser.see("document.documentElement.className") == "js"
    before = browser.see(theme)
    browser.see("document.querySelector('.theme-toggle-content button').click()")
    chosen = browser.see(theme)
    assert chosen != before
    browser.open(f"{site}/{CHAPTER}")
    assert browser.see(theme) == chosen
    blocked = browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="Object.defineProperty(window, 'localStorage', "
        "{configurable: true, get() { throw new DOMException('blocked', 'SecurityError'); }});",
    )
    browser.open(f"{site}/{CHAPTER}")
    assert browser.see(theme) == "auto"
    browser.see("document.querySelector('.theme-toggle-content button').click()")
    assert browser.see(theme) != "auto"
    browser.wait("document.querySelectorAll('.copybtn').length === 2")
    assert not browser.problems()
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=blocked["identifier"])
    browser.open(f"{site}/index.html")
    browser.see("localStorage.clear()")


def test_search_finds_and_marks(browser: Browser, site: str) -> None:
    browser.open(f"{site}/search.html?q=zebra")
    browser.wait("document.querySelectorAll('ul.search li a').length >= 2")
    assert not browser.problems()
    browser.see("document.querySelector('ul.search li a').click()")
    # The search page marks what it found, too; the link is on the other.
    browser.wait("!!document.querySelector('.highlight-link a')")
    browser.wait("!!document.querySelector('article .highlighted')")
    browser.see("document.querySelector('.highlight-link a').click()")
    assert not browser.see("document.querySelector('.highlighted')")
    assert not browser.problems()


def test_a_copy_button_copies_without_prompts(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}")
    browser.wait("document.querySelectorAll('.copybtn').length === 2")
    browser.see("addEventListener('copy', ({ target }) => (window.copied = target.value))")
    browser.see("document.querySelectorAll('.copybtn')[1].click()")
    browser.wait("window.copied === '1'")
    assert not browser.problems()


def test_versions_are_fetched_when_they_are_wanted(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}")
    assert not [address for address in browser.requests() if "versions" in address]
    browser.see("document.querySelector('.version-switcher summary').click()")
    browser.wait("document.querySelector('.version-switcher summary').textContent.endsWith('!')")


@pytest.mark.parametrize(
    "page",
    ["index.html", CHAPTER, "reference.html", "genindex.html", "py-modindex.html", "search.html"],
)
@pytest.mark.parametrize("width", [PHONE, 1280])
def test_no_page_breaks_the_policy(browser: Browser, site: str, page: str, width: int) -> None:
    browser.open(f"{site}/{page}", width=width)
    assert not browser.problems()
    assert len(browser.requests()) <= 10


SKIPPED = """[...document.querySelectorAll('article section section')]
  .map((section) => getComputedStyle(section).contentVisibility)"""


def test_sections_are_laid_out_in_the_pauses_after_the_page_has_come(
    browser: Browser, site: str
) -> None:
    """Nothing is higher afterwards than where nothing is skipped: at a place in the page."""
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    browser.wait(f"!!document.querySelector('[data-laid-out]') && !{SKIPPED}.includes('auto')")
    height = browser.see("document.documentElement.scrollHeight")
    place = browser.see("document.querySelector('article section section').id")
    every = "document.querySelectorAll('[data-laid-out]')"
    browser.see(f"{every}.forEach((section) => delete section.dataset.laidOut)")
    assert set(browser.see(SKIPPED)) == {"auto"}
    browser.see(f"location.hash = '{place}'")
    assert set(browser.see(SKIPPED)) == {"visible"}
    assert abs(browser.see("document.documentElement.scrollHeight") - height) <= 1


def test_a_definition_lies_over_the_section_after_its_own(browser: Browser, site: str) -> None:
    browser.open(f"{site}/{CHAPTER}", width=PHONE)
    browser.wait(f"!{SKIPPED}.includes('auto')")
    browser.see("""{
      const [first, second] = document.querySelectorAll("article section section");
      first.insertAdjacentHTML("beforeend", `<p><span class="term" tabindex="0">word</span>
        <span class="meaning" hidden>${"What it means. ".repeat(9)}</span></p>`);
      window.definition = first.querySelector(".meaning");
      window.below = second;
      first.querySelector(".term").focus();
    }""")
    browser.wait("definition.getBoundingClientRect().height > 0")
    browser.see("definition.scrollIntoView({ behavior: 'instant', block: 'center' })")
    overlap = "definition.getBoundingClientRect().bottom - below.getBoundingClientRect().top"
    assert browser.see(overlap) > 10
    browser.wait("""
      document.elementFromPoint(100, definition.getBoundingClientRect().bottom - 5) === definition
    """)
