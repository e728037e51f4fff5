"""The dossier of a refund through the command line: what is in it, for whom, and that it is safe to open."""

import re
from base64 import b64encode
from hashlib import sha256
from shlex import join
from xml.etree.ElementTree import Element

import pytest

from refundflow.dossier.parts import SECTIONS
from refundflow.messages import Language
from tests.acceptance.desk import Desk
from tests.acceptance.dossiers import INTERNAL, LOG, NOTE, REFUND, dossier, played
from tests.support.pages import ids, parsed, words

LANGUAGES: tuple[Language, ...] = ("en", "zh")
LOADING = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "image", "use"}


def part(root: Element, name: str) -> str:
    """Return the words of a section."""
    (found,) = (element for element in root.iter("section") if element.get("id") == name)
    return words(found)


def require_safe(page: str) -> Element:
    """Require valid HTML that runs nothing, loads nothing and points nowhere else."""
    root = parsed(page)
    found = list(ids(root))
    assert len(found) == len(set(found))
    for element in root.iter():
        assert element.tag not in LOADING
        for name, value in element.attrib.items():
            assert not str(name).startswith("on") and name != "style"
            assert name not in ("href", "src") or value.startswith("#")
    anchors = {element.get("href", "")[1:] for element in root.iter("a")}
    assert anchors <= set(found)
    assert "url(" not in page.replace("url(#", "") and "@import" not in page
    return root


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dossier_tells_the_whole_case(both_desks: Desk, language: Language) -> None:
    """Every section is there and says what was claimed, decided, promised, given, offered and paid."""
    page = dossier(played(both_desks), language=language)
    root = require_safe(page)

    assert root.get("lang") == {"en": "en", "zh": "zh-Hans"}[language]
    assert [element.get("id") for element in root.iter("section")] == list(SECTIONS)
    assert sum(1 for _ in root.iter("h1")) == 1
    summary, evidence = part(root, "summary"), part(root, "evidence")
    symbol = {"en": "CN¥", "zh": "¥"}[language]
    assert f"{symbol}300.00" in summary and f"{symbol}210.00" in summary and "主机连续两天" in summary
    assert sha256(LOG).hexdigest() in evidence
    assert "It ran for 27 of 28 days." in part(root, "decisions") and "DELIVERY_PROVEN" in part(root, "decisions")
    assert {"en": "missed by", "zh": "逾期"}[language] in part(root, "deadlines")
    assert INTERNAL in part(root, "timeline") and "PARTLY_USED" in part(root, "timeline")
    assert f"{symbol}3.00" in part(root, "offers")
    history = both_desks.json(f"history {REFUND} --as auditor:sun")
    assert history[-1]["hash"] in part(root, "proof")
    assert all(entry["hash"][:12] in part(root, "timeline") for entry in history)


def test_a_buyer_is_told_what_is_his(both_desks: Desk) -> None:
    """A buyer's copy has his case and none of the platform's own: no notes, no flags, no names of staff."""
    desk = played(both_desks)
    desk.text(f"note {REFUND} --message 'We are sorry.' --audience buyer --as agent:li")

    root = require_safe(dossier(desk, actor="buyer:b-18"))
    (body,) = root.iter("body")
    shown = words(body)

    assert NOTE.split("\n")[1] in shown and "We are sorry." in shown and "It ran for 27 of 28 days." in shown
    assert INTERNAL not in shown
    assert not re.search(r"\b(li|zhao)\b", shown)


def test_the_same_moment_gives_the_same_bytes(desk: Desk) -> None:
    """A dossier written twice is the same file: it can be hashed and filed."""
    played(desk)

    assert dossier(desk) == dossier(desk)


def test_what_it_says_as_json(desk: Desk) -> None:
    """The command tells which refund it wrote where, in which language, and how many entries."""
    path = played(desk).folder / "page.html"

    told = desk.json(f"audit dossier {REFUND} -o {path} --lang zh --as auditor:sun")

    entries = len(desk.json(f"history {REFUND} --as auditor:sun"))
    assert told == {"refund": REFUND, "output": str(path), "lang": "zh", "entries": entries}


def test_what_cannot_be_written(desk: Desk) -> None:
    """No such refund, or another buyer's: not found; a folder or an unknown language: usage. Nothing is left."""
    played(desk)
    page = desk.folder / "page.html"

    for refund, actor in (("A9-1-1", "auditor:sun"), ("A3-1-7", "auditor:sun"), (REFUND, "buyer:b-17")):
        desk.refused(f"audit dossier {refund} --output {page} --as {actor}", 5)
    desk.refused(f"audit dossier {REFUND} --output {desk.folder} --as auditor:sun", 2)
    desk.refused(f"audit dossier {REFUND} --output {page} --lang fr --as auditor:sun", 2)
    assert not page.exists()


def test_the_policy_of_the_page_allows_its_own_styles_alone(desk: Desk) -> None:
    """The page forbids everything but the one style sheet in it, named by its digest."""
    root = require_safe(dossier(played(desk)))
    (style,) = root.iter("style")
    (policy,) = (
        element.get("content", "") for element in root.iter("meta")
        if element.get("http-equiv") == "Content-Security-Policy"
    )  # fmt: skip
    digest = b64encode(sha256((style.text or "").encode()).digest()).decode()

    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_what_people_write_stays_text(both_desks: Desk) -> None:
    """Markup, quotes, marks of direction and endless words in notes are shown to the letter and do nothing."""
    nasty = [
        "<script>alert(1)</script></section></main>",
        "\" onmouseover='x' style='y'",
        "\u202egnp.exe \u2066 \u200f שלום",
        "W" * 3000,
        "</style><style>*{display:none}</style>",
    ]
    desk = both_desks
    desk.text(join(["submit", "A1", "--reason", "OTHER", "--note", nasty[0], "--as", "buyer:b-17"]))
    for text in nasty:
        desk.text(join(["note", "A1-1-1", "--message", text, "--audience", "buyer", "--as", "agent:li"]))

    root = require_safe(dossier(desk, refund="A1-1-1"))

    told = [words(element) for element in root.iter("blockquote")]
    for text in (nasty[0], nasty[1], nasty[3], nasty[4]):
        assert text in told
    assert "\\u202egnp.exe \\u2066 \u200f שלום" in told


def test_what_is_due_and_not_stored_yet_is_told_as_such(desk: Desk) -> None:
    """A reader sees what a move would find, marked as not recorded yet."""
    desk.text("submit A1 --reason OTHER --note 'It is broken.' --as buyer:b-17")
    path = desk.folder / "later.html"

    desk.text(f"audit dossier A1-1-1 --output {path} --as auditor:sun --at 2026-03-09T09:00:00+08:00")

    root = require_safe(path.read_text(encoding="utf-8"))
    assert "due, not recorded yet" in part(root, "timeline")
    assert "overdue by" in part(root, "deadlines")
