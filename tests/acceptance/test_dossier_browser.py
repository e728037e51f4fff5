"""The dossier in a real browser: on a desk, on a phone, in the dark and on paper."""

from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pytest
from pypdf import PdfReader

from refundflow.dossier.labels import LABELS
from refundflow.dossier.parts import SECTIONS
from refundflow.messages import Language
from tests.acceptance.desk import Desk
from tests.acceptance.dossiers import dossier, played
from tests.support.browser import NEEDED, Browser, installed

pytestmark = pytest.mark.slow
A4 = (595, 842)  # points
WIDTHS = (320, 390, 768, 1280)
Page = Callable[[Language], str]


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """Give a headless Chromium, or skip where none is installed."""
    program = installed()
    if program is None:
        pytest.skip(NEEDED)
    folder = tmp_path / "browser"
    folder.mkdir()
    return Browser(program=program, folder=folder)


@pytest.fixture
def page(desk: Desk) -> Page:
    """Give the dossier of a whole case, with a note of one endless word, in a language."""
    played(desk)
    desk.text(f"note A3-1-1 --message '{'W' * 400}' --as agent:li")
    return lambda language: dossier(desk, language=language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_wider_than_the_screen(browser: Browser, page: Page, language: Language) -> None:
    """On phones, a tablet and a desk nothing has to be moved sideways, and no word leaves its box."""
    for width, told in zip(WIDTHS, browser.measured(page(language), WIDTHS), strict=True):
        assert told["inner"] == width and told["scroll"] <= width, told
        assert told["wide"] == [] and told["spilt"] == [] and told["cut"] == [], (width, told)
        assert told["styled"] == "960px", "the style sheet was not taken"
        assert told["headings"] == [getattr(LABELS[name], language) for name in SECTIONS]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_prints_whole(browser: Browser, page: Page, language: Language) -> None:
    """The printed pages are A4, numbered, and hold every section to the last command."""
    printed = PdfReader(browser.printed(page(language)))
    text = "".join(normalize("NFKC", sheet.extract_text()) for sheet in printed.pages)  # no ligatures, no radicals
    text = "".join(text.split())

    assert 2 < len(printed.pages) < 15
    assert {(round(sheet.mediabox.width), round(sheet.mediabox.height)) for sheet in printed.pages} == {A4}
    for name in SECTIONS:
        assert "".join(getattr(LABELS[name], language).split()) in text, name
    assert f"1/{len(printed.pages)}" in text and "sha256sumFILE" in text


def test_light_and_dark_are_two_pictures(browser: Browser, page: Page) -> None:
    """The page follows the reader's choice of light or dark; both are more than a blank."""
    light, dark = browser.picture(page("en"), 1280), browser.picture(page("en"), 1280, dark=True)

    assert light.startswith(b"\x89PNG") and light != dark
    assert min(len(light), len(dark)) > 30_000
