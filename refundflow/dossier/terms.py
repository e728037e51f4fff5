"""The deadlines that stood over a refund: when each was set, due, and ended, and whether it was kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refundflow.values import HistoryEntry
from states import clocks, times

# The platform's promises: when one of these lapses, somebody broke it. The others are the buyer's to use.
PROMISES = ("review", "appeal_review", "payout", "enquiry")
# What ends a deadline although nobody did what it was for.
_ENDED_BY = {
    "withdraw": "fell", "revoke_approval": "fell", "payout_reversed": "fell", "end_request": "fell",
    "raise_enquiry": "replaced",
}  # fmt: skip
_STILL = ("under_review.negotiating", "awaiting_evidence")  # where the clock of a review stands


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One time that a deadline stood: `due` is the moment that was promised, whatever was set again after a lapse.

    `ended` is None while it stands. `how` it ended: kept, paused (the clock stands still), replaced (set anew),
    fell (with what it was for), lapsed, or open.
    """

    name: str
    seq: int
    set_at: datetime
    due: datetime
    rule: str
    ended: datetime | None = None
    how: str = "open"
    lapses: int = 0
    extended: bool = False
    provisional: bool = False

    @property
    def promise(self) -> bool:
        """Tell that it binds the platform."""
        return self.name in PROMISES

    def late(self, now: datetime) -> timedelta:
        """Return by how much a promise was, or by now is, broken; 0 where it was kept."""
        if not self.promise:
            return timedelta()
        return max((self.ended or now) - self.due, timedelta())

    def missed(self, now: datetime) -> bool:
        """Tell whether a promise is broken: an act at the due moment itself is too late."""
        return self.promise and (self.lapses > 0 or (self.ended or now) >= self.due)


def terms(entries: Sequence[HistoryEntry]) -> tuple[Term, ...]:
    """Return every time that a deadline stood, in the order in which they were set."""
    standing: dict[str, Term] = {}
    done: list[Term] = []
    for entry in entries:
        for name, change in sorted(entry.deadlines.items()):
            known = standing.pop(name, None)
            if change is None:
                done += [_ended(known, entry)] if known else []
            elif known is None:
                standing[name] = _set(name, change, entry)
            else:
                changed = list(_changed(known, change, entry))
                standing[name] = changed.pop()
                done += changed
    return tuple(sorted([*done, *standing.values()], key=lambda term: (term.set_at, term.seq, term.name)))


def _set(name: str, change: dict[str, object], entry: HistoryEntry) -> Term:
    return Term(
        name=name,
        seq=entry.seq,
        set_at=entry.effective_at,
        due=times.moment(str(change["due_at"])),
        rule=str(change.get("rule", "")),
        extended=bool(change.get("extended")),
        provisional=bool(change.get("provisional")),
    )


def _changed(known: Term, change: dict[str, object], entry: HistoryEntry) -> Iterator[Term]:
    """Yield a term as an entry left it; two, where the old one ended and a new one began."""
    if entry.event == clocks.EVENTS[known.name]:
        yield replace(known, lapses=known.lapses + 1)
    elif "due_at" not in change:
        yield known
    elif entry.event in ("extend", "deadline_recomputed"):
        # What lapsed once was missed, whatever time is given afterwards.
        due = known.due if known.lapses else times.moment(str(change["due_at"]))
        provisional = bool(change.get("provisional", known.provisional))
        rule = str(change.get("rule", known.rule))
        extended = known.extended or entry.event == "extend"
        yield replace(known, due=due, rule=rule, extended=extended, provisional=provisional)
    else:
        yield replace(known, ended=entry.effective_at, how="replaced")
        yield _set(known.name, {"rule": known.rule, **change}, entry)


def _ended(known: Term, entry: HistoryEntry) -> Term:
    if entry.event == clocks.EVENTS[known.name]:
        return replace(known, ended=entry.effective_at, how="lapsed", lapses=known.lapses + 1)
    paused = known.name in ("review", "appeal_review") and entry.after in _STILL
    how = "paused" if paused else _ENDED_BY.get(entry.event, "kept")
    return replace(known, ended=entry.effective_at, how=how)
