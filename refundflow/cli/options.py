"""The arguments and options that several commands share, each with its one line of help."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from refundflow.errors import BadInput
from states import codes, times

COMMON = "Everywhere"
_ORDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~@+-]{0,63}")
_LINE = re.compile(r"[A-Za-z0-9._]{1,16}")


class OrderLine(NamedTuple):
    """One order line."""

    order_id: str
    line: str


class EvidenceFile(NamedTuple):
    """A kind of evidence and the file that holds it."""

    kind: str
    path: Path


def read_time(text: str) -> datetime:
    """Read a time with its offset.

    Raises:
        BadInput: not a time, or one without an offset.
    """
    try:
        return times.moment(text)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{text!r} is not a time with an offset, such as 2026-11-22T09:00:00+08:00", field="time"
        ) from error


def read_place(text: str) -> OrderLine:
    """Read ORDER or ORDER/LINE; the line is 1 where none is named.

    Raises:
        BadInput: characters that no order id or line can have.
    """
    order_id, slash, line = text.partition("/")
    if not _ORDER.fullmatch(order_id) or (slash and not _LINE.fullmatch(line)):
        raise BadInput(f"{text!r} is not ORDER or ORDER/LINE, such as A1001 or A1001/2", field="order")
    return OrderLine(order_id, line or "1")


def read_evidence(text: str) -> EvidenceFile:
    """Read KIND=FILE.

    Raises:
        BadInput: no equals sign, or nothing on one of its sides.
    """
    kind, _, path = text.partition("=")
    if not kind or not path:
        raise BadInput(f"{text!r} is not KIND=FILE, such as screenshot=login.png", field="evidence")
    return EvidenceFile(kind, Path(path))


def _completing(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Complete a coded word in the shell; the lists are in the code, no database is opened."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.lower().startswith(incomplete.lower())]

    return complete


AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="As it was at a past moment, with its offset; what was due by then included.",
        parser=read_time,
    ),
]
KnownAt = Annotated[
    datetime | None,
    typer.Option(
        "--known-at",
        metavar="TIME",
        help="Only from what had been recorded by that moment; by itself also --as-of that moment.",
        parser=read_time,
    ),
]
RefundId = Annotated[str, typer.Argument(metavar="ID", help="The refund, e.g. A1001-1-1.")]
Order = Annotated[
    OrderLine,
    typer.Argument(metavar="ORDER[/LINE]", help="The order line; line 1 if none is named.", parser=read_place),
]
Message = Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What to say or record with it.")]
NeededText = Annotated[str, typer.Option("--message", metavar="TEXT", help="What to write down.")]
Why = Annotated[str | None, typer.Option("--message", metavar="TEXT", help="The reason; it is recorded.")]
Evidence = Annotated[
    list[EvidenceFile] | None,
    typer.Option(
        metavar="KIND=FILE",
        help="A file as evidence, e.g. screenshot=login.png; may be repeated.",
        parser=read_evidence,
        autocompletion=_completing(tuple(f"{kind}=" for kind in codes.EVIDENCE_KINDS)),
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="A kind of evidence; may be repeated.",
        autocompletion=_completing(codes.EVIDENCE_KINDS),
    ),
]
Grounds = Annotated[
    list[str] | None,
    typer.Option(
        "--ground",
        metavar="CODE",
        help="A ground of rejection, e.g. DELIVERY_PROVEN; may be repeated.",
        autocompletion=_completing(codes.GROUNDS),
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        metavar="CODE",
        help="The reason of the claim, e.g. WRONG_FACE_VALUE.",
        autocompletion=_completing(codes.REASONS),
    ),
]
MaybeReason = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="Ask for this reason only; every reason if none is named.",
        autocompletion=_completing(codes.REASONS),
    ),
]
Amount = Annotated[int, typer.Option(metavar="MINOR", help="In minor units, e.g. 5000 for 50.00 CNY.")]
MaybeAmount = Annotated[
    int | None,
    typer.Option(metavar="MINOR", help="In minor units; all that is left on the line if not given."),
]
Number = Annotated[str, typer.Option(metavar="NUMBER", help="Our number of the payout, as `show` prints it.")]
Currency = Annotated[str, typer.Option(metavar="CODE", help="The currency, e.g. CNY.")]
Proof = Annotated[str | None, typer.Option(metavar="REF", help="The proof: the channel's or the bank's own reference.")]
Channel = Annotated[
    str,
    typer.Option(metavar="CHANNEL", help="E.g. alipay.", autocompletion=_completing(codes.CHANNELS)),
]

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ROLE:NAME",
        envvar="REFUNDFLOW_ACTOR",
        help="Who acts, e.g. agent:li.",
        rich_help_panel=COMMON,
    ),
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="BUYER", help="The buyer for whom a service acts.", rich_help_panel=COMMON),
]
Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Idempotency key: the same call again changes nothing.", rich_help_panel=COMMON),
]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="The time of the call, with its offset; rehearsal databases only.",
        parser=read_time,
        rich_help_panel=COMMON,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON with documented keys; errors too, on stderr.", rich_help_panel=COMMON),
]
