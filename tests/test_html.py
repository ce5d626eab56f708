"""The page of an answer, in a real browser: by the keyboard, in both colours, and with everything hostile in it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from interpreters.edge.html.page import page
from interpreters.edge.render import RENDERERS
from interpreters.edge.shown import Shown
from tidepool.domain import NodeContext, Pointer, ScoutResponse, Status, Step, Verdict

Chrome: TypeAlias = Any
"""The browser of selenium, which types half of it."""

FIXTURE: Final = Path(__file__).parent / "fixtures" / "llmkind"
SCOUT: Final = Path(sys.executable).with_name("semantic-scout")
HOSTILE: Final = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2> ]]> &lt; \"' `x` \x00\x1b[2J\u202e "
    "<style>*{display:none}</style></pre></details><!-- javascript:window.pwned=3 "
)
CONTRAST: Final = 4.5  # of text to what is behind it: WCAG 2.2, level AA

LOW_CONTRAST: Final = """
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = (rgb) => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = rgb.slice(0, 3).map((c) => linear(c / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("script, svg") || !element.checkVisibility()) continue;
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < arguments[0]) low.push([element.className, walker.currentNode.data.slice(0, 30), ratio]);
}
return low;
"""


def hostile(count: int = 4) -> Shown:
    """An answer in which every text is an attack."""
    places = [f"{HOSTILE.replace(chr(0), '')}{at}.py:{at}" for at in range(1, count + 1)]
    pointers = tuple(Pointer(where, HOSTILE, 5, 5, 5, HOSTILE, (), HOSTILE, Verdict.VERIFIED) for where in places)
    steps = (Step(places[0], HOSTILE, None), *(Step(where, HOSTILE, places[0]) for where in places[1:]))
    response = ScoutResponse(HOSTILE, Status.PARTIAL, pointers, count, 7, None, steps)
    code = f"first\nsecond {HOSTILE}\n{'x' * 100_000}"
    return Shown(response, HOSTILE, {where: NodeContext(where, None, code) for where in places}, (HOSTILE,))


@pytest.fixture(scope="module")
def browser() -> Generator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("there is no chromium with its driver: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a real answer, as a file's address."""
    file = tmp_path_factory.mktemp("page") / "answer.html"
    asks = [str(SCOUT), "What breaks if I add a variant to LLMKind?", "--root", str(FIXTURE), "--format", "html"]
    file.write_bytes(subprocess.check_output([*asks, "--no-broker"]))
    return file.as_uri()


def test_every_text_of_anyones_is_escaped() -> None:
    text = page(hostile())
    assert text.isascii()
    assert text.count("<script>") == text.count("</script>") == 1
    assert not re.search(r"<img|<style>\*|[\x00\x1b]", text)


def test_an_answer_is_small_and_brings_all_it_needs(answered: str) -> None:
    text = Path(answered.removeprefix("file://")).read_text()
    assert len(text) < 60_000
    assert not re.search(r"""(?:src|href)=["'](?!#)""", text)
    assert "default-src 'none'" in text


def test_without_an_answer_the_page_says_so() -> None:
    stream = io.StringIO()
    RENDERERS["html"](Shown(ScoutResponse("Nothing named `x` is defined.", Status.NOT_FOUND), "rename x"), stream)
    assert "No answer: what was asked about was not found." in stream.getvalue()


def test_hostile_text_is_shown_and_runs_nothing(browser: Chrome, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    file.write_text(page(hostile()))
    browser.get_log("browser")
    browser.get(file.as_uri())
    assert browser.execute_script("return window.pwned") is None
    assert browser.execute_script("return document.images.length + document.scripts.length") == 1
    assert browser.execute_script("return document.querySelectorAll('#places li').length") == 4
    assert "<img src=x onerror=window.pwned=2>" in browser.execute_script(
        "return document.querySelector('h1').textContent"
    )
    assert browser.get_log("browser") == []


def test_nothing_is_asked_of_any_network(browser: Chrome, answered: str) -> None:
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(answered)
    asked = [entry["message"] for entry in browser.get_log("performance") if "requestWillBeSent" in entry["message"]]
    assert len(asked) == 1
    assert "answer.html" in asked[0]


def press(browser: Chrome, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def focused(browser: Chrome) -> str | None:
    found: str | None = browser.execute_script("return document.activeElement.closest('details')?.id")
    return found


def test_the_keyboard_is_enough(browser: Chrome, answered: str) -> None:
    from selenium.webdriver import Keys

    browser.get_log("browser")
    browser.get(answered)
    press(browser, "j", "j", "j", "j")
    assert focused(browser) == "place-4"
    press(browser, "k", Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert focused(browser) == "place-3"
    opened = "return document.getElementById('place-3').open"
    before = browser.execute_script(opened)
    press(browser, Keys.ENTER)
    assert browser.execute_script(opened) is not before
    press(browser, "e")
    assert browser.execute_script("return document.querySelectorAll('details:not([open])').length") == 0
    press(browser, "?")
    assert not browser.execute_script("return document.getElementById('keys').hidden")
    press(browser, "?", "/", *"registry clients")
    texts = browser.execute_script("return [...document.querySelectorAll('#places li')].map((row) => row.textContent)")
    wanted = [text for text in texts if "registry" in text.lower() and "clients" in text.lower()]
    assert 0 < len(wanted) < len(texts)
    left = "return [...document.querySelectorAll('#places li:not([hidden])')].map((row) => row.textContent)"
    assert browser.execute_script(left) == wanted
    said = browser.execute_script("return document.querySelector('.filter output').value")
    assert said == f"{len(wanted)} of {len(texts)}"
    press(browser, Keys.ESCAPE)
    assert browser.execute_script("return document.querySelectorAll('#places li[hidden]').length") == 0
    assert browser.get_log("browser") == []


def test_a_place_in_the_graph_leads_to_its_row(browser: Chrome, answered: str) -> None:
    browser.get(answered)
    drawn = browser.execute_script("return [...document.querySelectorAll('svg a')].map((a) => a.getAttribute('href'))")
    rows = browser.execute_script("return [...document.querySelectorAll('#places details')].map((row) => '#' + row.id)")
    assert sorted(drawn) == sorted(rows)
    browser.execute_script("document.querySelector(\"svg a[href='#place-9']\").dispatchEvent(new MouseEvent('click'))")
    browser.execute_script("location.hash = '#place-9'")
    assert browser.execute_async_script("setTimeout(() => arguments[0](document.getElementById('place-9').open), 100)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_colours(browser: Chrome, answered: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(answered)
    press(browser, "e", "?")
    assert browser.execute_script(LOW_CONTRAST, CONTRAST) == []


def test_its_parts_have_names_and_the_narrowest_screen_needs_no_scrolling_aside(browser: Chrome, answered: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        browser.get(answered)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    tree: list[dict[str, Any]] = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")}
    assert ("main", "") in named
    assert ("searchbox", "Filter") in named
    assert any(role == "heading" and "LLMKind" in name for role, name in named)
    assert not {(role, name) for role, name in named if role in {"link", "searchbox", "image", "region"} and not name}


def test_without_its_script_the_page_shows_the_same(browser: Chrome, answered: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(answered)
        text = browser.find_element("tag name", "main").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "llmapp/pricing.py:15" in text
    assert "assert_never(kind)" in text
    assert "Filter" not in text
