"""The report in a real browser: it asks for nothing, complains of nothing, fits its screen, and begins with what matters.

It runs where Chromium is installed (Debian: `apt-get install chromium`).
"""

import pytest

from busytime.report.page import page
from busytime.store.database import open_engine, upgrade
from busytime.store.reading_views import open_reader, snapshot
from busytime.store.report_facts import gather
from tests.integration.cli.browser import CHROMIUM, browsing
from tests.integration.store import report_world
from tests.integration.store.report_world import PERIOD

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

WORLDS = ("troubled", "well", "stopped", "hostile", "World")
SCREENS = ((1280, 800), (800, 900), (390, 844), (320, 640))

VISIBLE = "[...document.querySelectorAll('{}')].filter(it => it.checkVisibility())"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each world, as addresses of files."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name in WORLDS:
        url = f"sqlite:///{folder / name}.db"
        engine = open_engine(url)
        upgrade(engine)
        getattr(report_world, name)().fill(engine)
        engine.dispose()
        reader = open_reader(url)
        with snapshot(reader) as views:
            file = folder / f"{name}.html"
            file.write_bytes(page(gather(views, PERIOD)))
        reader.dispose()
        found[name] = file.as_uri()
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("screen", SCREENS)
def test_a_page_fits_its_screen_and_asks_for_nothing(browser, pages, world, screen):
    browser.open(pages[world], *screen)
    assert browser.requested() == [pages[world]]
    assert browser.complaints() == []
    assert browser.find("innerWidth") == screen[0]
    assert browser.find("document.documentElement.scrollWidth") == screen[0]
    # What is wider than its screen scrolls in a box of its own, and nothing is cut off elsewhere.
    cut = (
        "[...document.querySelectorAll('h1, h2, p, li, th, td, dd')].filter(it => !it.closest('.scroll') && it.checkVisibility()"
    )
    assert browser.find(f"{cut} && it.getBoundingClientRect().right > innerWidth).length") == 0


@pytest.mark.parametrize("world", ["troubled", "well", "stopped", "World"])
@pytest.mark.parametrize("screen", [(1280, 800), (390, 844)])
def test_the_first_screen_says_what_needs_attention(browser, pages, world, screen):
    browser.open(pages[world], *screen)
    below = "it => it.getBoundingClientRect().bottom > innerHeight"
    assert not browser.find(f"[document.querySelector('h1')].some({below})")
    told = browser.find("document.querySelectorAll('.items .item, .calm').length")
    assert told == {"troubled": 4, "well": 1, "stopped": 3, "World": 1}[world]
    assert not browser.find(f"[...document.querySelectorAll('.items .item, .calm')].some({below})")


def test_each_screen_has_one_drawing_of_each_chart_in_letters_that_can_be_read(browser, pages):
    letters = f"{VISIBLE.format('svg')}.map(it => it.getBoundingClientRect().width / it.viewBox.baseVal.width)"
    for width, height in SCREENS:
        browser.open(pages["troubled"], width, height)
        scales = browser.find(letters)
        assert len(scales) == 5
        assert min(scales) > 0.75


def test_tones_stay_apart_on_dark_screens_and_on_paper(browser, pages):
    paint = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(pages["troubled"], 1280, 800, prefers_color_scheme="dark")
    assert browser.find(ground) == "rgb(18, 24, 31)"
    assert len({browser.find(paint.format(tone)) for tone in ("full", "high", "some", "low", "none")}) == 5
    browser.open(pages["troubled"], 1280, 800, medium="print", prefers_color_scheme="dark")
    assert browser.find(ground) == "rgb(255, 255, 255)"
    assert browser.printed().startswith(b"%PDF")


def test_who_cannot_see_hears_what_a_chart_shows_and_finds_its_numbers(browser, pages):
    browser.open(pages["troubled"], 1280, 800)
    names = browser.find("[...document.querySelectorAll('svg')].map(it => it.getAttribute('aria-labelledby'))")
    for name, told in (each.split() for each in names):
        assert browser.find(f"document.getElementById('{name}').textContent")
        assert browser.find(f"document.getElementById('{told}').textContent")
    rows = browser.find("[...document.querySelectorAll('figure')].map(it => it.querySelectorAll('details tbody tr').length)")
    assert rows == [28, 4, 5, 3, 1]


def test_a_policy_keeps_scripts_from_running_even_if_one_came_in(browser, pages):
    browser.open(pages["well"], 1280, 800)
    come_in = (
        "(() => { const it = document.createElement('script'); it.textContent = 'window.ran = 1'; document.body.append(it); })()"
    )
    browser.find(come_in)
    assert browser.find("window.ran") is None


def test_a_screen_is_not_empty(browser, pages):
    browser.open(pages["troubled"], 390, 844)
    picture = browser.picture()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
