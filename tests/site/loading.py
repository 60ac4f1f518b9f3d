"""Load a page as a browser on a slow computer does, and measure what comes and what moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Response

from tests.site.browser import WIDE, Setting, look

# What is laid out is looked at ten times a second: a look itself lays the page out, and many would
# take longer than the page. The sum of all shifts is kept: stricter than the Web Vitals, which take
# the worst five seconds.
WATCH = """
  window.weighed = { shift: 0, changed: 0, seen: "" };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.hadRecentInput) weighed.shift += entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });
  setInterval(() => {
    const formulas = document.querySelectorAll("math, mjx-container");
    const { width, height } = formulas[formulas.length - 1]?.getBoundingClientRect() ?? {};
    const seen = [document.documentElement?.scrollHeight, formulas.length, width, height].join();
    if (seen !== weighed.seen) Object.assign(weighed, { seen, changed: performance.now() });
  }, 100);
"""
READY = "Promise.all([document.fonts.ready, window.MathJax?.startup?.promise])"
QUIET = "performance.now() - weighed.changed > 1500"
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y);
    await new Promise(requestAnimationFrame);
  }
  for (const image of document.images) {
    image.scrollIntoView();
    await image.decode();
  }
}"""
# Nine tenths down the list of what can be linked to.
DEEP = """() => {
  const places = document.querySelectorAll("article :is(section, .math-block, figure)[id]");
  return places[Math.floor(0.9 * places.length)]?.id ?? "";
}"""
IN_VIEW = """(id) => {
  const { top } = document.getElementById(id).getBoundingClientRect();
  return top > -1 && top < innerHeight;
}"""
THROTTLE = 4
# What Lighthouse calls slow 4G: the font comes after the text.
SLOW = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}


@dataclass
class Load:
    """What one load of a page took."""

    bytes: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    foreign: list[str] = field(default_factory=list)
    elements: int = 0
    widgets: int = 0
    seconds: float = 0.0
    shift: float = 0.0
    deep: str = ""
    in_view: bool = True


def open_page(browser: Browser, address: str, *, slow: bool = False) -> tuple[Page, Load]:
    """Load a page with an empty cache and wait until nothing moves any more."""
    page = look(browser, Setting(WIDE, "light")).new_page()
    page.set_default_timeout(600_000)
    load = Load()
    host = urlsplit(address).netloc

    def note(response: Response) -> None:
        address = urlsplit(response.url)
        if address.scheme in {"data", "blob"}:  # in the page already
            return
        load.requests += 1
        kind, size = response.request.resource_type, int(response.headers["content-length"])
        load.bytes[kind] = load.bytes.get(kind, 0) + size
        if address.netloc != host:
            load.foreign.append(response.url)

    page.on("response", note)
    page.add_init_script(WATCH)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    if slow:
        session.send("Network.emulateNetworkConditions", SLOW)
    page.goto(address, wait_until="load")
    page.evaluate(READY)
    page.wait_for_function(QUIET, polling=250)  # milliseconds; by itself it asks in every frame
    load.seconds = page.evaluate("weighed.changed") / 1000
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return page, load


def from_top(browser: Browser, address: str, *, slow: bool = False) -> Load:
    """Load a page, then scroll down to its end, so that all of its images come."""
    page, load = open_page(browser, address, slow=slow)
    with page.context:
        page.evaluate(SCROLL)
        page.wait_for_load_state("networkidle")
        load.elements = page.evaluate("document.querySelectorAll('*').length")
        load.widgets = page.evaluate("document.querySelectorAll('.widget').length")
        load.deep = page.evaluate(DEEP)
        load.shift = page.evaluate("weighed.shift")
    return load


def from_link(browser: Browser, address: str, deep: str, *, slow: bool = False) -> Load:
    """Load a page at a place far down."""
    page, load = open_page(browser, f"{address}#{deep}", slow=slow)
    with page.context:
        load.in_view = page.evaluate(IN_VIEW, deep)
        load.shift = page.evaluate("weighed.shift")
    return load
