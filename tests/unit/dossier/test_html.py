"""Markup: whatever a person wrote stays text."""

import pytest

from refundflow.dossier.html import Markup, code, join, said, tag, text
from tests.support.pages import parsed, words

NASTY = (
    "<script>alert(1)</script>",
    '" onload="x" \'',
    "</title></style><img src=x onerror=x>",
    "&lt;b&gt; & <!-- --> ]]>",
    "<svg><a xlink:href='javascript:x'>",
    "{refund} %s {0}",
)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_text_is_never_markup(nasty: str) -> None:
    """What a person wrote is read back to the letter, as text and as an attribute, and makes no element."""
    root = parsed(f"<!doctype html><html><head><title>x</title></head>{tag('body', said(nasty), title=nasty)}</html>")
    body = root.find("body")

    assert body is not None and words(body) == " ".join(nasty.split())
    assert body.get("title") == nasty
    assert [element.tag for element in body.iter()] == ["body", "bdi"]


def test_what_turns_or_breaks_a_page_is_shown_as_an_escape() -> None:
    """Control characters, changes of direction and characters that no page may hold are visible."""
    assert text("a\x00b\x1b\u202ec\u2066\ufdd0\ufffe\ud800\u0085") == (
        "a\\x00b\\x1b\\u202ec\\u2066\\ufdd0\\ufffe\\ud800\\x85"
    )
    assert text("one\r\ntwo") == "one\ntwo"
    assert text("\u200fשלום 退款") == "\u200fשלום 退款"


def test_attributes_and_children() -> None:
    """Attributes that are absent are left out, void elements have no end, children may be nested."""
    assert tag("p", ["a", [None, Markup("<b>c</b>")]], class_="x", id=None, hidden=True) == (
        '<p class="x" hidden>a<b>c</b></p>\n'
    )
    assert tag("meta", http_equiv="a", name="b") == '<meta http-equiv="a" name="b">\n'
    assert join([code(1), "<"]) == "<code>1</code>&lt;"
