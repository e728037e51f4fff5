"""The working copy inside one decision: documents and ledger under change, entries and effects so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from msgspec.structs import astuple

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
    Ledger,
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
        self.ledger = aggregate.ledger
        self.refunds = dict(aggregate.refunds)
        self.rules = rules
        # Two hosts may disagree by a moment: nothing happens before what has already happened on the line.
        at = latest = times.text(now)
        for document in (self.line, *self.refunds.values()):
            if document["effective_at"] > latest:
                latest = document["effective_at"]
        self.now = now if latest is at and now.tzinfo is UTC else times.moment(latest)
        self.at = latest  # the same as text
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self.open_seq = 0  # of the entry that is being made
        self.open_subject = ""
        self.open_at = ""

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
        told = (kind, event, actor, params, texts, cause, blockers, occurred_at)
        return Change(self, case["id"], case, at, told, opens, calendar or self.calendar(at).version)

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
        subject = line_subject(self.line["order_id"], self.line["line"])
        told = (kind, event, actor, params, texts, None, blockers, occurred_at)
        change = Change(self, subject, self.line, at, told, opens, self.calendar(at).version)
        self.line = change.new
        return change

    def tell(self, kind: str, code: str, **params: Json) -> None:
        """Add an effect to the entry that is being made."""
        self.effects.append(
            Effect(
                kind=kind,
                code=code,
                subject=self.open_subject,
                seq=self.open_seq,
                params=params,
                effective_at=self.open_at,
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

    @property
    def net(self) -> int:
        """What went out on the line less what is said to have come back; below 0 the same money was told twice."""
        net = self.line.get("beside", 0)
        for case in self.refunds.values():
            net += case["settled"]
        return net

    @property
    def paid(self) -> int:
        """What went out on the line and did not come back, strays and what was written off included."""
        return max(0, self.net)

    def balance(self) -> None:
        """Let settled and excess follow from what was paid, captured, and written off."""
        line, ledger = self.line, self.ledger
        settled, excess = settled_and_excess(
            captured=line["captured"],
            committed=ledger.reserved + ledger.in_flight,
            paid=self.paid,
            stray=line["stray"],
            written_off=line["written_off"],
        )
        self.ledger = Ledger(ledger.reserved, ledger.in_flight, settled, ledger.charged_back, excess)


class Look(Draft):
    """An order line that is only judged: nothing on it may change, so nothing is copied and no moment written."""

    def __init__(self, aggregate: Aggregate, rules: Rules, now: datetime) -> None:
        self.line, self.ledger, self.refunds = aggregate.line, aggregate.ledger, aggregate.refunds
        self.rules = rules
        self.now = now if now.tzinfo is UTC else now.astimezone(UTC)
        for document in (self.line, *self.refunds.values()):
            latest = datetime.fromisoformat(document["effective_at"])
            if latest > self.now:
                self.now = latest


class Change(Generic[D]):
    """One entry that is being made: `new` may be changed within; at the end patch and ledger are recorded.

    An exception within records nothing.
    """

    def __init__(
        self, draft: Draft, subject: str, old: D, at: datetime, told: tuple[Any, ...], opens: bool, calendar: str
    ) -> None:
        # two levels deep, what is deeper is replaced
        new: Any = old.copy()
        for key, value in old.items():
            if type(value) is dict:
                new[key] = value.copy()
        written = draft.at if at is draft.now else times.text(at)
        if written > old["effective_at"]:
            new["effective_at"] = written
        new["seq"] += 1
        draft.open_subject, draft.open_seq, draft.open_at = subject, new["seq"], new["effective_at"]
        self.new: D = new
        self._old: Mapping[str, Any] = {} if opens else old
        self._draft, self._subject, self._told, self._calendar = draft, subject, told, calendar
        self._ledger = draft.ledger

    def __enter__(self) -> D:
        return self.new

    def __exit__(self, failed: type[BaseException] | None, problem: object, trace: object) -> None:
        if failed is not None:
            return
        draft, old, ledger = self._draft, self._old, self._ledger
        new: Any = self.new
        of_line = new is draft.line
        if not of_line:
            draft.refunds[self._subject] = new
        if of_line or draft.ledger is not ledger or new["settled"] != old.get("settled", 0):
            draft.balance()
        patch = difference(old, new)
        for key in _OF_THE_ENTRY:
            patch.pop(key, None)
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
                params=params or {},
                texts=texts,
                patch=patch,
                ledger=_moved(ledger, draft.ledger) if draft.ledger != ledger else {},
                policy=new.get("policy") or draft.rules.policy.version,
                calendar=self._calendar,
                cause=cause,
                blockers=blockers,
                occurred_at=occurred_at,
            )
        )


class Turn:
    """One act being judged: what every guard and every move is given."""

    __slots__ = ("act", "actor", "case", "draft", "now", "policy")

    def __init__(self, draft: Draft, act: Act, case: Case, policy: Policy) -> None:
        self.draft, self.act, self.case, self.policy = draft, act, case, policy
        self.actor, self.now = act.actor, draft.now

    @property
    def line(self) -> Line:
        """Return the facts of the order line as they stand now."""
        return self.draft.line

    def given(self, name: str) -> Json:
        """Return a parameter of the act, or None."""
        return self.act.params.get(name)

    def asked(self, name: str) -> bool:
        """Tell whether a term is to be judged: always, but for a probe that did not give it."""
        return not self.act.probe or name in self.act.params or name in self.act.texts

    def has_text(self, name: str) -> bool:
        """Tell whether the act carries a text that is not empty."""
        return bool(self.act.texts.get(name, "").strip())


def _moved(before: Ledger, after: Ledger) -> dict[str, int]:
    moved = zip(LEDGER_COLUMNS, astuple(before), astuple(after), strict=True)
    return {column: new - old for column, old, new in moved if new != old}
