"""Errors as JSON documents and in words."""

from collections.abc import Mapping
from typing import Any

from refundflow import messages
from refundflow.errors import RefundflowError, Refused
from refundflow.render.wording import local, money
from states import times
from states.case import Blocker

Json = Any
MOMENTS = ("ended_at", "latest")


def error_json(error: RefundflowError) -> dict[str, Json]:
    """Return an error as ``{code, message, blockers [{code, …, until}], possible}``, the message in words."""
    return error.as_json() | {"message": _message(error)}


def error_lines(error: RefundflowError) -> list[str]:
    """Say an error in words: every blocker, until when it blocks, and the commands possible instead."""
    if not isinstance(error, Refused):
        return [f"{error.code}: {line}" for line in error.message.splitlines() or [""]]
    lines = [
        f"refused: {blocker_words(blocker, zone=error.zone, currency=error.currency)} ({blocker.code})"
        for blocker in error.blockers
    ]
    if error.possible:
        lines.append(f"possible instead: {', '.join(event.replace('_', '-') for event in error.possible)}")
    return lines


def _message(error: RefundflowError) -> str:
    if isinstance(error, Refused):
        return "; ".join(blocker_words(blocker, zone=error.zone, currency=error.currency) for blocker in error.blockers)
    return error.message


def blocker_words(blocker: Blocker, *, zone: str, currency: str | None = None) -> str:
    """Say one blocker in words, with the moment until which it blocks, in the given time zone."""
    said = messages.sentence(
        blocker.code,
        _moments_in(blocker.params, zone),
        money=(lambda minor: money(minor, currency)) if currency else str,
    )
    if blocker.until is None:
        return said
    return f"{said}, until {local(times.moment(blocker.until), zone)}"


def _moments_in(params: Mapping[str, Json], zone: str) -> dict[str, Json]:
    """Write the moments among the parameters in the time zone."""
    return {
        name: local(times.moment(value), zone) if name in MOMENTS and isinstance(value, str) else value
        for name, value in params.items()
    }
