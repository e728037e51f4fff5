"""Canonical JSON: one way to write a value as bytes, so that equal values have equal bytes and hashes."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

# What the library would write by itself beyond JSON is refused: only what reads back as itself has a canonical form.
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_PLAIN = frozenset({str, int, bool, type(None)})
_ALL = object()
# Read what `canonical` wrote; a ValueError where it is no JSON.
read_document: Callable[[str | bytes], Any] = orjson.loads


def canonical(value: Any, *, told: Any = _ALL) -> bytes:
    """Write a JSON value with sorted keys, no spaces, UTF-8 unescaped.

    `told` are the parts of it that come from elsewhere, where the rest is text and whole numbers for certain.

    Raises:
        ValueError: it holds a float (money and counts are whole numbers), a number of more than 64 bits, a key that
            is no text, text that is no Unicode, or something that JSON does not know.
    """
    try:
        written = orjson.dumps(value, option=_OPTIONS)
    except TypeError as problem:
        raise ValueError(f"no canonical form: {problem}") from problem
    _check(value if told is _ALL else told)
    return written


def canonical_text(value: Any) -> str:
    """Write a JSON value as `canonical` does, for a column of text."""
    return canonical(value).decode()


def document_text(document: Any) -> str:
    """Write a document as `canonical` does, unchecked: it is the fold of patches, each checked in its entry.

    So are the parameters of an effect made of those and of what the entry says.
    """
    return orjson.dumps(document, option=_OPTIONS).decode()


def rows_text(rows: Sequence[Any]) -> str:
    """Write rows as a JSON array for PostgreSQL, bytes as it reads them."""
    return orjson.dumps(rows, default=_hexadecimal).decode()


def _hexadecimal(value: Any) -> str:
    if type(value) is bytes:
        return f"\\x{value.hex()}"
    raise TypeError(f"a {type(value).__name__} goes into no column")


def _check(value: Any) -> None:
    """Look at every value that the library wrote; keys, and whether there is an end, it has looked at."""
    left = [value]
    for item in left:  # it grows meanwhile
        kind = type(item)
        if kind is dict:
            item = item.values()
        elif kind in _PLAIN:
            continue
        elif kind is not list and kind is not tuple:
            raise ValueError(f"{item!r} ({kind.__name__}) has no canonical form")
        for inner in item:
            if type(inner) not in _PLAIN:
                left.append(inner)
