"""Canonical JSON: one way to write a value as bytes, so that equal values have equal bytes and hashes."""

import json
from typing import Any

_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def canonical(value: Any) -> bytes:
    """Write a JSON value with sorted keys, no spaces, UTF-8 unescaped.

    Raises:
        ValueError: it holds a float (money and counts are whole numbers), a key that is no text, text that is
            no Unicode, or something that JSON does not know.
    """
    _check(value)
    return _WRITE(value).encode()


def canonical_text(value: Any) -> str:
    """Write a JSON value as `canonical` does, for a column of text."""
    return canonical(value).decode()


def document_text(document: Any) -> str:
    """Write a document as `canonical` does, unchecked: it is the fold of patches, each checked in its entry."""
    return _WRITE(document)


def _check(value: Any) -> None:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ValueError(f"the key {key!r} is no text")
            _check(item)
    elif kind is list or kind is tuple:
        for item in value:
            _check(item)
    elif kind is not str and kind is not int and kind is not bool and value is not None:
        raise ValueError(f"{value!r} ({kind.__name__}) has no canonical form")
