"""Errors as JSON documents and in words."""

from typing import Any

from refundflow import messages
from refundflow.errors import Refused, RefundflowError
from refundflow.render.wording import local, money
from states import times
from states.case import Blocker

Json = Any


def error_json(error: RefundflowError) -> dict[str, Json]:
    """Return an error as ``{code, message, blockers [{code, …, until}], possible}``, the message in words."""
    return error.as_json() | {"message": _message(error)}


def error_lines(error: RefundflowError) -> list[str]:
    """Say an error in words: every blocker, until when it blocks, and what is possible instead."""
    if not isinstance(error, Refused):
        return [f"{error.code}: {line}" for line in error.message.splitlines() or [""]]
    lines = [f"refused: {_words(blocker, error)} ({blocker.code})" for blocker in error.blockers]
    if error.possible:
        lines.append(f"possible instead: {', '.join(error.possible)}")
    return lines


def _message(error: RefundflowError) -> str:
    if isinstance(error, Refused):
        return "; ".join(_words(blocker, error) for blocker in error.blockers)
    return error.message


def _words(blocker: Blocker, error: Refused) -> str:
    """Say one blocker in words, with the moment until which it blocks."""
    currency = error.currency
    said = messages.sentence(
        blocker.code, blocker.params, money=(lambda minor: money(minor, currency)) if currency else str
    )
    if blocker.until is None:
        return said
    return f"{said}, until {local(times.moment(blocker.until), error.zone)}"
