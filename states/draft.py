"""The working copy inside one decision: documents and ledger under change, entries and effects so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from states import times
from states.calendar import Calendar, Calendars
from states.case import (
    LEDGER_COLUMNS,
    Act,
    Actor,
    Aggregate,
    Blocker,
    Case,
    Effect,
    Entry,
    Json,
    Line,
    difference,
    line_subject,
)
from states.ledger import settled_and_excess
from states.policy import Policy

SYSTEM = Actor(role="system", name="system")
# Set from the entry itself at replay, so they never stand in a patch.
_OF_THE_ENTRY = ("seq", "effective_at")
D = TypeVar("D", Case, Line)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What decisions are made by: the policy in force, every pinned policy by version, the calendars."""

    policy: Policy
    policies: Mapping[str, Policy]
    calendars: Calendars


class Draft:
    """One order line being decided on: the only place where documents change."""

    def __init__(self, aggregate: Aggregate, rules: Rules, now: datetime) -> None:
        self.line = aggregate.line
        self.ledger = aggregate.ledger.copy()
        self.refunds = dict(aggregate.refunds)
        self.rules = rules
        # Two hosts may disagree by a moment: nothing happens before what has already happened on the line.
        at = latest = times.text(now)
        for document in (self.line, *self.refunds.values()):
            if document["effective_at"] > latest:
                latest = document["effective_at"]
        self.now = now if latest is at and now.tzinfo is UTC else times.moment(latest)
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self._open_seq = 0
        self._open_subject = ""
        self._open_at = ""

    def policy_of(self, case: Case) -> Policy:
        """Return the policy that was pinned to the refund at submit."""
        return self.rules.policies[case["policy"]]

    def calendar(self, at: datetime) -> Calendar:
        """Return the calendar in force at an effective time."""
        return self.rules.calendars.at(at)

    def entry(
        self,
        case: Case,
        event: str,
        actor: Actor,
        at: datetime,
        *,
        kind: str = "applied",
        params: Mapping[str, Json] | None = None,
        texts: tuple[str, ...] = (),
        cause: int | None = None,
        blockers: tuple[Blocker, ...] = (),
        occurred_at: str | None = None,
        opens: bool = False,
        calendar: str | None = None,
    ) -> "Change[Case]":
        """Change one refund under one entry: gives the copy to change, then records patch and ledger."""
        new = self._begun(case["id"], case, at)
        told = (kind, event, actor, params, texts, cause, blockers, occurred_at)
        return Change(self, case["id"], None if opens else case, new, told, calendar or self.calendar(at).version)

    def line_entry(
        self,
        event: str,
        actor: Actor,
        at: datetime,
        *,
        kind: str = "fact",
        params: Mapping[str, Json] | None = None,
        texts: tuple[str, ...] = (),
        blockers: tuple[Blocker, ...] = (),
        occurred_at: str | None = None,
        opens: bool = False,
    ) -> "Change[Line]":
        """Change the facts of the order line under one entry of the line's chain."""
        old = self.line
        subject = line_subject(old["order_id"], old["line"])
        self.line = self._begun(subject, old, at)
        told = (kind, event, actor, params, texts, None, blockers, occurred_at)
        return Change(self, subject, None if opens else old, self.line, told, self.calendar(at).version)

    def _begun(self, subject: str, old: Any, at: datetime) -> Any:
        """Return the copy of a document that an entry changes: two levels deep, what is deeper is replaced."""
        new: Any = {key: value.copy() if type(value) is dict else value for key, value in old.items()}
        new["seq"] += 1
        new["effective_at"] = max(times.text(at), new["effective_at"])
        self._open_subject, self._open_seq, self._open_at = subject, new["seq"], new["effective_at"]
        return new

    def tell(self, kind: str, code: str, **params: Json) -> None:
        """Add an effect to the entry that is being made."""
        self.effects.append(
            Effect(
                kind=kind,
                code=code,
                subject=self._open_subject,
                seq=self._open_seq,
                params=params,
                effective_at=self._open_at,
            )
        )

    def tell_about(self, case: Case, kind: str, code: str, at: datetime, **params: Json) -> None:
        """Add an effect that belongs to no new entry, as a warning does."""
        self.effects.append(
            Effect(
                kind=kind,
                code=code,
                subject=case["id"],
                seq=case["seq"],
                params=params,
                effective_at=times.text(at),
            )
        )

    def balance(self) -> None:
        """Let settled and excess follow from what was paid, captured, and written off."""
        line, ledger = self.line, self.ledger
        paid = line.get("beside", 0)
        for case in self.refunds.values():
            paid += case["settled"]
        ledger.settled, ledger.excess = settled_and_excess(
            captured=line["captured"],
            committed=ledger.reserved + ledger.in_flight,
            paid=max(0, paid),
            stray=line["stray"],
            written_off=line["written_off"],
        )


class Change(Generic[D]):
    """One entry that is being made: within, its document may be changed; at the end patch and ledger are recorded.

    An exception within records nothing.
    """

    def __init__(self, draft: Draft, subject: str, old: D | None, new: D, told: tuple[Any, ...], calendar: str) -> None:
        self._draft, self._subject, self._told, self._calendar = draft, subject, told, calendar
        self._old: Mapping[str, Any] = old or {}
        self._new: D = new
        self._ledger = draft.ledger.amounts()

    def __enter__(self) -> D:
        return self._new

    def __exit__(self, failed: type[BaseException] | None, problem: object, trace: object) -> None:
        if failed is None:
            self._record(self._draft, self._old, self._new)

    def _record(self, draft: Draft, old: Mapping[str, Any], new: Any) -> None:
        if new is not draft.line:
            draft.refunds[self._subject] = new
        draft.balance()
        patch = difference(old, new)
        for key in _OF_THE_ENTRY:
            patch.pop(key, None)
        amounts = draft.ledger.amounts()
        kind, event, actor, params, texts, cause, blockers, occurred_at = self._told
        draft.entries.append(
            Entry(
                subject=self._subject,
                seq=new["seq"],
                kind=kind,
                event=event,
                before=old.get("state"),
                after=new.get("state"),
                effective_at=new["effective_at"],
                actor=actor,
                params=dict(params or {}),
                texts=texts,
                patch=patch,
                ledger=_moved(self._ledger, amounts) if amounts != self._ledger else {},
                policy=new.get("policy") or draft.rules.policy.version,
                calendar=self._calendar,
                cause=cause,
                blockers=blockers,
                occurred_at=occurred_at,
            )
        )


@dataclass(slots=True)
class Turn:
    """One act being judged: what every guard and every move is given."""

    draft: Draft
    act: Act
    case: Case
    policy: Policy

    @property
    def line(self) -> Line:
        """Return the facts of the order line as they stand now."""
        return self.draft.line

    @property
    def now(self) -> datetime:
        """Return the moment of the act."""
        return self.draft.now

    @property
    def actor(self) -> Actor:
        """Return who acts."""
        return self.act.actor

    def given(self, name: str) -> Json:
        """Return a parameter of the act, or None."""
        return self.act.params.get(name)

    def asked(self, name: str) -> bool:
        """Tell whether a term is to be judged: always, but for a probe that did not give it."""
        return not self.act.probe or name in self.act.params or name in self.act.texts

    def has_text(self, name: str) -> bool:
        """Tell whether the act carries a text that is not empty."""
        return bool(self.act.texts.get(name, "").strip())


def _moved(before: Sequence[int], after: Sequence[int]) -> dict[str, int]:
    moved = zip(LEDGER_COLUMNS, before, after, strict=True)
    return {column: new - old for column, old, new in moved if new != old}
