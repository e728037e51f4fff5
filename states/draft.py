"""The working copy inside one decision: documents and ledger under change, entries and effects so far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from states import times
from states.calendar import Calendar, Calendars
from states.case import (
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
LEDGER_COLUMNS = ("reserved", "in_flight", "settled", "charged_back", "excess")
# Set from the entry itself at replay, so they never stand in a patch.
_OF_THE_ENTRY = ("seq", "effective_at")


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
        chains = [self.line["effective_at"], *(case["effective_at"] for case in self.refunds.values())]
        self.now = times.moment(max(times.text(now), *chains))
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

    @contextmanager
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
    ) -> Iterator[Case]:
        """Change one refund under one entry: yields the copy to change, then records patch and ledger."""
        new = _copy(case)
        new["seq"] = case["seq"] + 1
        new["effective_at"] = max(times.text(at), case["effective_at"])
        ledger = self.ledger.copy()
        self._begin(case["id"], new["seq"], new["effective_at"])
        yield new
        self.refunds[case["id"]] = new
        self.balance()
        self._record(
            case["id"], event, actor, at, kind, params, texts, cause, blockers, occurred_at,
            before=None if opens else case["state"], after=new["state"],
            old={} if opens else case, new=new, ledger=ledger, policy=new["policy"], calendar=calendar,
        )  # fmt: skip

    @contextmanager
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
    ) -> Iterator[Line]:
        """Change the facts of the order line under one entry of the line's chain."""
        old = self.line
        new = cast(Line, _copy(cast(Case, old)))
        subject = line_subject(old["order_id"], old["line"])
        new["seq"] = old["seq"] + 1
        new["effective_at"] = max(times.text(at), old["effective_at"])
        ledger = self.ledger.copy()
        self._begin(subject, new["seq"], new["effective_at"])
        self.line = new
        yield new
        self.balance()
        self._record(
            subject, event, actor, at, kind, params, texts, None, blockers, occurred_at,
            before=None, after=None, old={} if opens else old, new=new, ledger=ledger,
            policy=self.rules.policy.version,
        )  # fmt: skip

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

    def aggregate(self) -> Aggregate:
        """Return the line as it stands after everything recorded so far."""
        return Aggregate(line=self.line, ledger=self.ledger, refunds=self.refunds)

    def _begin(self, subject: str, seq: int, at: str) -> None:
        self._open_subject, self._open_seq, self._open_at = subject, seq, at

    def balance(self) -> None:
        """Let settled and excess follow from what was paid, captured, and written off."""
        line, ledger = self.line, self.ledger
        ledger.settled, ledger.excess = settled_and_excess(
            captured=line["captured"],
            committed=ledger.reserved + ledger.in_flight,
            paid=max(0, sum(case["settled"] for case in self.refunds.values()) + line.get("beside", 0)),
            stray=line["stray"],
            written_off=line["written_off"],
        )

    def _record(
        self, subject: str, event: str, actor: Actor, at: datetime, kind: str,
        params: Mapping[str, Json] | None, texts: tuple[str, ...], cause: int | None,
        blockers: tuple[Blocker, ...], occurred_at: str | None, *, before: str | None, after: str | None,
        old: Any, new: Any, ledger: Ledger, policy: str, calendar: str | None = None,
    ) -> None:  # fmt: skip
        patch = difference(old, new)
        for key in _OF_THE_ENTRY:
            patch.pop(key, None)
        moved = {} if self.ledger == ledger else _moved(ledger, self.ledger)
        self.entries.append(
            Entry(
                subject=subject,
                seq=new["seq"],
                kind=kind,
                event=event,
                before=before,
                after=after,
                effective_at=new["effective_at"],
                actor=actor,
                params=dict(params or {}),
                texts=texts,
                patch=patch,
                ledger=moved,
                policy=policy,
                calendar=calendar or self.calendar(at).version,
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


def _moved(before: Ledger, after: Ledger) -> dict[str, int]:
    changes = {column: getattr(after, column) - getattr(before, column) for column in LEDGER_COLUMNS}
    return {column: change for column, change in changes.items() if change}


def _copy(document: Case) -> Case:
    """Copy a document two levels deep; anything deeper is replaced, never changed in place."""
    return cast(Case, {key: value.copy() if type(value) is dict else value for key, value in document.items()})
