"""The door: what stands in clear in an entry is a code, a number or a reference; checked before anything else."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from refundflow.errors import BadInput
from refundflow.orders.row import LARGEST_AMOUNT
from refundflow.values import Attachment
from states import codes

LONGEST_TEXT = 20_000  # characters of one note or message
LONGEST_NAME = 128
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_CODED = frozenset({
    "reason", "grounds", "kinds", "answer", "flag", "contact", "audience", "channel", "currency", "how", "outcome",
    "usage", "deadline", "event", "rule",
})  # fmt: skip
_LISTS = {"audience": codes.AUDIENCES, "contact": codes.CONTACTS}  # no rule judges them
_NAMED = frozenset({"chargeback"})  # that without a name would be nothing
_NUMBERS = frozenset({"amount", "compensation", "captured", "days"})
_SWITCHES = frozenset({"all", "void"})
_CODE = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}(?:; ?[a-z]{1,16}=[A-Za-z0-9_.-]{1,64})?")
_NO_UNICODE = re.compile(r"[\ud800-\udfff]")


# Tells (by what it matches) a text that can be an id, a name or a reference: one line, printable, not too long.
one_line = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{{0,{LONGEST_NAME}}}").fullmatch


def check_reference(name: str, text: object) -> None:
    """Check an id, a name or a reference.

    Raises:
        BadInput: it is not one line of printable characters, or too long.
    """
    if text is not None and not (isinstance(text, str) and one_line(text)):
        raise BadInput(f"{name}: one line of at most {LONGEST_NAME} printable characters", field=name)


def check_name(name: str, text: object) -> None:
    """Check a reference that must be given.

    Raises:
        BadInput: it is missing or blank, or no reference.
    """
    check_reference(name, text)
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{name}: it needs a name", field=name)


def check_moment(name: str, moment: object) -> None:
    """Check a moment; later ones would make a rehearsal fire deadlines for centuries.

    Raises:
        BadInput: it has no offset, or does not lie from 1970 to 2199.
    """
    if moment is None:
        return
    if not isinstance(moment, datetime) or moment.tzinfo is None or not EARLIEST <= moment < LATEST:
        raise BadInput(f"{name}: a time with its offset, such as 2026-03-02T09:00:00+08:00, 1970 to 2199", field=name)


def check_params(params: Mapping[str, Any]) -> None:
    """Check the parameters of an act.

    Raises:
        BadInput: words where a code belongs, a number that no amount can be, or what JSON does not know.
    """
    for name, value in params.items():
        for item in value if isinstance(value, list) else (value,):
            _check_param(name, item)


def _check_param(name: str, value: object) -> None:
    if isinstance(value, bool):
        if name not in _SWITCHES:
            raise BadInput(f"{name}: {value} is neither a number nor a code", field=name)
    elif isinstance(value, int):
        if abs(value) > LARGEST_AMOUNT:
            raise BadInput(f"{name}: a whole number of at most {LARGEST_AMOUNT}", field=name)
    elif not isinstance(value, str) or name in _NUMBERS:
        allowed = "a whole number" if name in _NUMBERS else "a whole number or a text"
        raise BadInput(f"{name}: {allowed}, not {type(value).__name__}", field=name)
    elif name in _LISTS and value not in _LISTS[name]:
        raise BadInput(f"{name}: one of {', '.join(_LISTS[name])}", field=name)
    elif name in _NAMED and not value.strip():
        raise BadInput(f"{name}: it needs a name", field=name)
    elif name in _CODED:
        if _CODE.fullmatch(value) is None:
            raise BadInput(f"{name}: a code of at most 64 letters, digits and _ . : -, not words", field=name)
    else:
        check_reference(name, value)


def check_texts(texts: Mapping[str, str]) -> None:
    """Check free texts.

    Raises:
        BadInput: one is no text, too long, or holds half a character.
    """
    for name, text in texts.items():
        if not isinstance(text, str):
            raise BadInput(f"{name}: a text, not {type(text).__name__}", field=name)
        if len(text) > LONGEST_TEXT:
            raise BadInput(f"{name}: at most {LONGEST_TEXT} characters", field=name)
        if _NO_UNICODE.search(text):
            raise BadInput(f"{name}: is no Unicode text", field=name)


def check_files(files: Sequence[object]) -> None:
    """Check what is said about files; the rules judge kind, type and size.

    Raises:
        BadInput: words where a kind or a media type belongs, or an impossible name.
    """
    for file in files:
        if not isinstance(file, Attachment) or not isinstance(file.content, bytes):
            raise BadInput("evidence: Attachments, each with its content as bytes", field="evidence")
        if _CODE.fullmatch(file.kind) is None:
            raise BadInput("evidence: its kind is a code, not words", field="evidence")
        if file.media_type is not None and _MEDIA_TYPE.fullmatch(file.media_type) is None:
            raise BadInput("evidence: a media type is written like image/png", field="evidence")
        check_texts({"evidence": file.filename})
