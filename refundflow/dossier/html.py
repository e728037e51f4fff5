"""HTML and SVG as text: every string that is not markup already is escaped on its way in."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

VOID = frozenset({"meta", "br", "hr"})
# After these a new line begins, so that the source can be read and compared.
_LINES = frozenset({"dl", "g", "h1", "h2", "h3", "header", "li", "meta", "nav", "ol", "p", "section", "style", "table",
                    "title", "tr", "ul"})  # fmt: skip
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
Child: TypeAlias = str | Iterable["Child"] | None


class Markup(str):
    """Text that is markup; made by the functions of this module only."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Write an element; an attribute that is None or False is left out, True stands without a value.

    ``class_`` is ``class``; underscores within a name are hyphens.
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    end = "\n" if name in _LINES else ""
    return Markup(f"<{name}{written}>{end}" if name in VOID else f"<{name}{written}>{join(children)}</{name}>{end}")


def join(children: Child) -> Markup:
    """Write children one after the other, each string escaped."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return text(children)
    return Markup("".join(map(join, children)))


def text(value: object) -> Markup:
    """Escape a text, in an attribute too."""
    return Markup(escape(visible(str(value)), quote=True))


def visible(value: str) -> str:
    """Show what a page cannot hold, or what would turn the text around it, as escapes; lines stay lines."""
    return "".join(map(_character, value.replace("\r\n", "\n")))


def _character(character: str) -> str:
    code = ord(character)
    if code in (0x0A, 0x20):
        return character
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    unprintable = code in _DIRECTIONS or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE
    return f"\\u{code:04x}" if unprintable else character


def said(value: str) -> Markup:
    """Write what a person wrote: on its own, in its own direction."""
    return tag("bdi", value, dir="auto")


def code(value: object) -> Markup:
    """Write a code or a number; it may break anywhere."""
    return tag("code", str(value))


def digest(value: str) -> Markup:
    """Write a digest of 64 digits on two lines."""
    return tag("code", value, class_="digest")


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
