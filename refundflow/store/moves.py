"""How an order line is read under its lock, and the one function by which every move commits."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update

from refundflow.store.connections import Question, Session, Step
from refundflow.store.documents import canonical_text, document_text
from refundflow.store.news import TELL
from refundflow.store.rows import Json, Sealed, Stored
from refundflow.store.statements import insert_or, insert_row, select_where, update_where
from refundflow.store.values import moment, written
from refundflow.tables import CalendarText, OrderLine, Payout, PendingEffect, Refund, Transition, table_of
from states import times
from states.case import Aggregate, Case, Decision, Effect, Ledger, Line, line_subject, refund_place

URGENT = ("system_act", "payout")  # a commit that brings one wakes the workers: money waits for them
NEAR = timedelta(seconds=30)  # so does one that brings a moment so near; for later ones they look in time by themselves
_LINE = table_of(OrderLine)
_REFUND = table_of(Refund)
_LINE_COLUMNS = tuple(column.name for column in _LINE.c)
_REFUND_COLUMNS = tuple(column.name for column in _REFUND.c)
_LINE_KEY = {"order_id": "at_order", "line": "at_line", "version": "at_version"}
_REFUND_KEY = {"order_id": "at_order", "id": "at_id", "version": "at_version"}

COUNT_CALENDARS = select(func.count()).select_from(table_of(CalendarText))
READ_CLOCK = select(func.clock_timestamp())
READ_LINE = select_where(OrderLine, "order_id", "line")
LOCK_LINE = select_where(OrderLine, "order_id", "line", lock=True)
TAKE_LINE = select_where(OrderLine, "order_id", "line").with_for_update(skip_locked=True)
READ_REFUNDS = select_where(Refund, "order_id", "line")
INSERT_LINE = insert_row(OrderLine)
INSERT_REFUND = insert_row(Refund)
INSERT_ENTRY = insert_row(Transition, without=("gid",))
INSERT_EFFECT = insert_row(PendingEffect, without=("id",))
KEEP_PAYOUT = insert_or(Payout, update=("state", "void", "channel", "dispatched_at", "asked", "next_ask_at"))
# The buyer of a line never changes: left alone, its index is not written at each move.
CHANGE_LINE = update_where(
    OrderLine, _LINE_KEY, tuple(c for c in _LINE_COLUMNS if c not in ("order_id", "line", "buyer"))
)
CHANGE_REFUND = update_where(
    Refund, _REFUND_KEY, tuple(c for c in _REFUND_COLUMNS if c not in ("order_id", "id", "line", "warned_at"))
)
COUNT_LINE = (
    update(_LINE)
    .where(_LINE.c.order_id == bindparam("at_order"), _LINE.c.line == bindparam("at_line"))
    .values(repeats=_LINE.c.repeats + 1)
)
COUNT_REFUND = (
    update(_REFUND)
    .where(_REFUND.c.order_id == bindparam("at_order"), _REFUND.c.id == bindparam("at_id"))
    .values(repeats=_REFUND.c.repeats + 1)
)
WARN = update_where(Refund, {"order_id": "at_order", "id": "at_id"}, ("warned_at", "next_warn_at"))
READ_ONE = select(_REFUND.c.document).where(
    _REFUND.c.order_id == bindparam("order_id"), _REFUND.c.id == bindparam("id")
)


def line_columns(line: Line, ledger: Ledger) -> dict[str, Any]:
    """Derive the columns of an order line from its document and ledger."""
    return {
        "order_id": line["order_id"], "line": line["line"], "buyer": line["buyer"],
        "payment_no": line["payment_no"], "channel": line["channel"], "currency": line["currency"],
        "captured": line["captured"], "reserved": ledger.reserved, "in_flight": ledger.in_flight,
        "settled": ledger.settled, "charged_back": ledger.charged_back, "excess": ledger.excess,
        "document": document_text(line), "seq": line["seq"],
    }  # fmt: skip


def refund_columns(case: Case, warned_at: str | None = None) -> dict[str, Any]:
    """Derive the columns of a refund from its document; moments as text."""
    return {
        "order_id": case["order_id"], "id": case["id"], "line": case["line"], "state": case["state"],
        "buyer": case["buyer"], "submitted_at": case["submitted_at"],
        "next_due_at": min((item["due_at"] for item in case["deadlines"].values()), default=None),
        "next_warn_at": next_warning(case, warned_at),
        "claimed": case["claimed"], "approved": case["approved"], "in_flight": case["in_flight"],
        "settled": case["settled"], "abused": "ABUSE_SUSPECTED" in case.get("rejection", {}).get("grounds", ()),
        "document": document_text(case), "seq": case["seq"],
    }  # fmt: skip


def next_warning(case: Case, warned_at: str | None) -> str | None:
    """Return the first moment of a warning that was not given yet."""
    moments = (item.get("warn_at") for item in case["deadlines"].values())
    return min((at for at in moments if at and at > (warned_at or "")), default=None)


class Moves:
    """Reading and committing moves."""

    session: Session
    clock: datetime | None = None  # the server's, read with the newest lock
    calendar_count: int | None = None  # how many calendars there were, read with the newest line

    def aggregate(self, order_id: str, line: str, *, lock: bool, wait: bool = True) -> Stored | None:
        """Return an order line with its ledger and refunds (in order of number), None where there is none.

        `lock` keeps every other writer off the line until the transaction ends; without `wait` a line that
        another writer holds is None too.
        """
        place = {"order_id": order_id, "line": line}
        # the second statement sees what was committed while the first waited for the lock, and so does the clock
        questions = [
            Question((LOCK_LINE if wait else TAKE_LINE) if lock else READ_LINE, place),
            Question(READ_REFUNDS, place),
        ]
        questions.append(Question(COUNT_CALENDARS, {}))
        if lock and self.session.dialect == "postgresql":
            questions.append(Question(READ_CLOCK, {}))
        found, rows, counted, *clock = self.session.gather(questions)
        self.calendar_count = counted[0][0]
        self.clock = moment(clock[0][0][0]) if clock else None
        if not found:
            return None
        row = dict(zip(_LINE_COLUMNS, found[0], strict=True))
        ledger = Ledger(**{name: row[name] for name in Ledger.__dataclass_fields__})
        stored = Stored(aggregate=Aggregate(line=json.loads(row["document"]), ledger=ledger, refunds={}))
        _keep(stored, line_subject(order_id, line), row)
        refunds = [dict(zip(_REFUND_COLUMNS, values, strict=True)) for values in rows]
        for refund in sorted(refunds, key=lambda item: int(item["id"].rpartition("-")[2])):
            stored.aggregate.refunds[refund["id"]] = json.loads(refund["document"])
            _keep(stored, refund["id"], refund)
            stored.warned[refund["id"]] = written(refund["warned_at"])
        return stored

    def commit_moves(self, stored: Stored, decision: Decision, records: Sequence[Sealed]) -> None:
        """Write what was decided: entries, the changed line and refunds, payouts, effects; all or nothing.

        Raises:
            Conflict: the line or a refund is no longer what `stored` read.
        """
        after = decision.aggregate
        newest = {sealed.entry.subject: sealed for sealed in records}
        order_id, line = after.line["order_id"], after.line["line"]
        subject = line_subject(order_id, line)
        steps: list[Step] = []
        if subject in newest or any(sealed.entry.ledger for sealed in records):
            steps.append(_line_step(stored, after, newest.get(subject)))
        for refund in (name for name in newest if name != subject):
            steps.append(_refund_step(stored, after.refunds[refund], newest[refund]))
        steps += [Step(INSERT_ENTRY, entry_columns(order_id, sealed)) for sealed in records]
        steps += _payout_steps(after, records)
        if decision.effects:
            steps += _effect_steps(order_id, decision.effects, records[-1].recorded_at)
        if self.session.dialect == "postgresql" and _wakes(decision, records):
            steps.append(Step(TELL, {}))
        self.session.batch(steps)

    def add_effects(self, order_id: str, effects: Sequence[Effect], recorded_at: datetime) -> None:
        """Add effects that belong to no new entry, as warnings do."""
        self.session.batch(_effect_steps(order_id, effects, recorded_at))

    def count_refusal(self, stored: Stored, subject: str) -> None:
        """Count one more refusal that is the same as the chain's newest entry; no entry is added."""
        line = stored.aggregate.line
        if subject == stored.subject:
            self.session.batch([Step(COUNT_LINE, {"at_order": line["order_id"], "at_line": line["line"]}, 1)])
        else:
            self.session.batch([Step(COUNT_REFUND, {"at_order": line["order_id"], "at_id": subject}, 1)])

    def mark_warned(self, refund_id: str, at: datetime) -> None:
        """Remember that the warnings up to `at` were given."""
        order_id, _ = refund_place(refund_id)
        found = self.session.one(READ_ONE, order_id=order_id, id=refund_id)
        if found is None:
            return
        warned = times.text(at)
        following = next_warning(json.loads(found[0]), warned)
        place = {"at_order": order_id, "at_id": refund_id}
        self.session.batch([Step(WARN, place | {"warned_at": warned, "next_warn_at": following}, 1)])


def entry_columns(order_id: str, sealed: Sealed) -> dict[str, Any]:
    """Derive the columns of an entry."""
    entry = sealed.entry
    return {
        "order_id": order_id, "subject": entry.subject, "seq": entry.seq, "kind": entry.kind, "event": entry.event,
        "before": entry.before, "after": entry.after, "effective_at": entry.effective_at,
        "recorded_at": times.text(sealed.recorded_at), "actor_role": entry.actor.role,
        "actor_name": entry.actor.name, "key_scope": sealed.key_scope if sealed.key else None, "key": sealed.key,
        "request_hash": sealed.request_hash, "body": sealed.body, "hash": sealed.hash,
    }  # fmt: skip


def _wakes(decision: Decision, records: Sequence[Sealed]) -> bool:
    """Tell whether a commit brings work that a sleeping worker would be late for.

    Every announcement costs: PostgreSQL lets only one transaction at a time commit one.
    """
    if any(effect.kind in URGENT for effect in decision.effects):
        return True
    now = records[-1].recorded_at
    present, near = times.text(now), times.text(now + NEAR)
    cases = [decision.aggregate.refunds.get(sealed.entry.subject) for sealed in records]
    standing = [deadline for case in cases if case for deadline in case["deadlines"].values()]
    moments = [at for item in standing for at in (item["due_at"], item.get("warn_at", ""))]
    return any(present < at <= near for at in moments)


def _keep(stored: Stored, subject: str, row: Mapping[str, Any]) -> None:
    stored.versions[subject] = row["version"]
    stored.heads[subject] = row["head"]
    stored.refusals[subject] = row["refusal"]
    stored.repeats[subject] = row["repeats"]


def _line_step(stored: Stored, after: Aggregate, newest: Sealed | None) -> Step:
    """Write the line; its chain stays where it is when only a refund moved the ledger."""
    subject, columns = stored.subject, line_columns(after.line, after.ledger)
    version = stored.versions.get(subject)
    columns["head"] = newest.hash if newest else stored.heads[subject]
    columns["refusal"] = newest.fingerprint if newest else stored.refusals[subject]
    columns["repeats"] = 0 if newest else stored.repeats[subject]
    if version is None:
        return Step(INSERT_LINE, columns | {"version": 1}, 1)
    place = {"at_order": columns.pop("order_id"), "at_line": columns.pop("line"), "at_version": version}
    return Step(CHANGE_LINE, columns | place | {"version": version + 1}, 1)


def _refund_step(stored: Stored, case: Case, newest: Sealed) -> Step:
    version = stored.versions.get(case["id"])
    columns = refund_columns(case, stored.warned.get(case["id"]))
    columns |= {"head": newest.hash, "refusal": newest.fingerprint, "repeats": 0}
    if version is None:
        return Step(INSERT_REFUND, columns | {"version": 1, "warned_at": None}, 1)
    place = {"at_order": columns.pop("order_id"), "at_id": columns.pop("id"), "at_version": version}
    columns.pop("line")
    return Step(CHANGE_REFUND, columns | place | {"version": version + 1}, 1)


def _payout_steps(after: Aggregate, records: Sequence[Sealed]) -> list[Step]:
    """Write the numbers that the entries touched; each touch is definite, so nothing is to be asked for now."""
    touched = {
        (sealed.entry.subject, number): None
        for sealed in records
        for number in sealed.entry.patch.get("attempts") or ()
    }
    return [
        Step(KEEP_PAYOUT, _payout_columns(after.line, after.refunds[refund], number), 1) for refund, number in touched
    ]


def _payout_columns(line: Line, case: Case, number: str) -> dict[str, Json]:
    attempt = case["attempts"][number]
    return {
        "order_id": case["order_id"], "number": number, "subject": case["id"], "payment_no": line["payment_no"],
        "channel": attempt["channel"], "amount": attempt["amount"], "currency": attempt["currency"],
        "state": attempt["state"], "void": bool(attempt["void"]), "dispatched_at": attempt.get("at"),
        "asked": 0, "next_ask_at": None,
    }  # fmt: skip


def _effect_steps(order_id: str, effects: Sequence[Effect], recorded_at: datetime) -> list[Step]:
    recorded = times.text(recorded_at)
    return [
        Step(
            INSERT_EFFECT,
            {
                "order_id": order_id, "subject": effect.subject, "seq": effect.seq, "kind": effect.kind,
                "code": effect.code, "params": canonical_text(dict(effect.params)),
                "effective_at": effect.effective_at, "recorded_at": recorded, "tries": 0, "next_try_at": recorded,
                "problem": None,
            },
        )
        for effect in effects
    ]  # fmt: skip
