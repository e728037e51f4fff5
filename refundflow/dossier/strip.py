"""The deadlines of a refund drawn on a line of time as SVG: how long each ran, what was left, what was late."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from refundflow import words
from refundflow.dossier.html import Markup, tag
from refundflow.dossier.reader import Reader, capital
from refundflow.dossier.terms import Term

MOST = 24  # more are in the table only
_WIDTH, _LEFT, _ROW, _TOP, _BAR = 660, 2, 46, 8, 12


class Scale(NamedTuple):
    """Time from `start` to `end` on the width of the drawing."""

    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        """Return where a moment stands."""
        part = (moment - self.start) / (self.end - self.start)
        return _LEFT + min(max(part, 0), 1) * (_WIDTH - 2 * _LEFT)


def draw(reader: Reader, found: Sequence[Term], refund: str, outcome: Sequence[str]) -> Markup:
    """Draw the first `MOST` deadlines, one row each; `outcome` says in words what became of each."""
    shown = found[:MOST]
    scale = _scale(shown, reader.now)
    bottom = _TOP + len(shown) * _ROW
    description = "; ".join(f"{reader.word(words.DEADLINES, term.name)}: {told}"
                            for term, told in zip(shown, outcome, strict=False))  # fmt: skip
    return tag(
        "svg",
        tag("title", reader.label("strip_title", refund=refund), id="strip-title"),
        tag("desc", description, id="strip-desc"),
        tag("defs", tag("pattern", tag("path", d="M0 6 L6 0", class_="late-line"), id="late", width=6, height=6,
                        patternUnits="userSpaceOnUse")),
        list(_axis(reader, scale, bottom)),
        [_row(reader, scale, term, told, _TOP + index * _ROW)
         for index, (term, told) in enumerate(zip(shown, outcome, strict=False))],
        class_="strip", viewBox=f"0 0 {_WIDTH} {bottom + 26}", role="img",
        aria_labelledby="strip-title", aria_describedby="strip-desc",
    )  # fmt: skip


def _scale(shown: Sequence[Term], now: datetime) -> Scale:
    moments = [moment for term in shown for moment in (term.set_at, term.due, term.ended or now)]
    start, end = min(moments), max(moments)
    return Scale(start, max(end, start + timedelta(minutes=1)))


def _axis(reader: Reader, scale: Scale, bottom: float) -> Iterator[Markup]:
    """Draw a line for some days, whole ones, never more than six."""
    days = max(1, -(-(scale.end - scale.start) // timedelta(days=5)))
    day = scale.start.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=_offset(reader, scale))
    last = -100.0
    while day <= scale.end:
        x = scale.x(day)
        if day >= scale.start and x - last > 70 and x < _WIDTH - 60:
            last = x
            yield tag("path", d=f"M{x:.1f} {_TOP} V{bottom}", class_="grid")
            yield tag("text", reader.day(day), x=f"{x:.1f}", y=bottom + 20, class_="tick")
        day += timedelta(days=days)
    if last < 0:
        yield tag("text", reader.day(scale.start), x=_LEFT, y=bottom + 20, class_="tick first")


def _offset(reader: Reader, scale: Scale) -> float:
    """Return how many hours the reader's zone is ahead at the start."""
    ahead = scale.start.astimezone(ZoneInfo(reader.zone)).utcoffset() or timedelta()
    return ahead / timedelta(hours=1)


def _row(reader: Reader, scale: Scale, term: Term, told: str, top: float) -> Markup:
    """Draw one deadline: its name and outcome, below it how it ran."""
    end = term.ended or reader.now
    run, due, over = scale.x(term.set_at), scale.x(term.due), scale.x(end)
    y = top + 22
    missed = term.missed(reader.now)
    return tag(
        "g",
        tag("text", capital(reader.word(words.DEADLINES, term.name)), tag("tspan", f"  {told}", class_="told"),
            x=_LEFT, y=top + 14, class_="name"),
        _bar(run, min(over, due), y, "run"),
        _bar(over, due, y, "spare") if over < due and term.how != "open" else None,
        _bar(over, due, y, "ahead") if over < due and term.how == "open" else None,
        _bar(due, over, y, "late") if over > due and missed else None,
        tag("path", d=f"M{due:.1f} {y - 3} v{_BAR + 6}", class_="due"),
        class_="missed" if missed else "met",
    )  # fmt: skip


def _bar(start: float, end: float, y: float, kind: str) -> Markup:
    return tag("rect", x=f"{start:.1f}", y=y, width=f"{max(end - start, 2):.1f}", height=_BAR, class_=kind)
