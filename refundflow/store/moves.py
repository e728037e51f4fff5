"""How order lines are read under their locks, and how every move commits."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, islice, pairwise
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import JSON, Select, Table, TableValuedAlias, bindparam, func, literal_column, select, update
from sqlalchemy.sql.base import Executable

from refundflow.store.documents import document_text, read_document, rows_text
from refundflow.store.news import TELL
from refundflow.store.people import ADD_CONTENT, ADD_PERSONAL, buyer_of
from refundflow.store.registers import ADD_POLICY, REACH_TIME, REHEARSAL_TIME, roles_of
from refundflow.store.rows import Chain, Json, Move, Scene, Sealed, Sight, Stored
from refundflow.store.sessions import Question, Row, Session
from refundflow.store.statements import (
    DialectName,
    in_sets,
    insert_or,
    insert_row,
    next_version,
    select_where,
    update_version,
    update_where,
)
from refundflow.store.values import moment, written
from refundflow.tables import (
    Buyer,
    CalendarText,
    OrderLine,
    Payout,
    PendingEffect,
    Refund,
    Staff,
    Transition,
    table_of,
)
from states import times
from states.case import LEDGER_COLUMNS, Aggregate, Case, Effect, Ledger, Line, line_subject

URGENT = ("system_act", "payout")  # a commit that brings one wakes the workers: money waits for them
NEAR = timedelta(seconds=30)  # so does one that brings a moment so near; for later ones they look in time by themselves
_PART = 25  # moves that a server writes while the next ones are decided
_LINE = table_of(OrderLine)
_REFUND = table_of(Refund)
# What never changes is never written again: a column that is set has its index written anew, the same value or not.
_CHANGING_LINE = ("captured", *LEDGER_COLUMNS, "document", "seq", "head", "refusal", "repeats")
_CHANGING_REFUND = (
    "state", "next_due_at", "next_warn_at", "clear_due_at", "assignee", "approved", "in_flight", "settled", "abused",
    "document", "seq", "head", "refusal", "repeats",
)  # fmt: skip

COUNT_CALENDARS = select(func.count()).select_from(table_of(CalendarText))
READ_CLOCK = select(func.clock_timestamp())
# The other columns say again what the document says.
_CHAIN_COLUMNS = ("version", "head", "refusal", "repeats")
_OF_LINE = ("document", *_CHAIN_COLUMNS, *LEDGER_COLUMNS)
_OF_REFUND = ("document", *_CHAIN_COLUMNS, "warned_at")
READ_LINE = select_where(OrderLine, "order_id", "line", columns=_OF_LINE)
LOCK_LINE = READ_LINE.with_for_update()
TAKE_LINE = READ_LINE.with_for_update(skip_locked=True)
READ_REFUNDS = select_where(Refund, "order_id", "line", columns=_OF_REFUND)
# The same of many lines: `places` is a JSON array of [order id, line]; each row begins with its number in there, which
# the first has from `_FIRST` on.
_FIRST = {"sqlite": 0, "postgresql": 1}
_PLACES: dict[DialectName, TableValuedAlias] = {
    "sqlite": func.json_each(bindparam("places")).table_valued("key", "value", name="asked"),
    "postgresql": func.json_array_elements(bindparam("places", type_=JSON()))
    .table_valued("value", with_ordinality="key")
    .render_derived(name="asked"),
}


def _of_places(table: Table, columns: tuple[str, ...], asked: TableValuedAlias) -> Select[Any]:
    """Select rows of a table at many lines, in the order of the places."""
    order_id, line = (asked.c.value.op("->>")(literal_column(at)) for at in "01")
    return (
        select(asked.c.key, *(table.c[name] for name in columns))
        .select_from(asked.join(table, (table.c.order_id == order_id) & (table.c.line == line)))
        .order_by(asked.c.key)
    )


READ_LINES = {dialect: _of_places(_LINE, _OF_LINE, asked) for dialect, asked in _PLACES.items()}
LOCK_LINES = {dialect: read.with_for_update(of=_LINE) for dialect, read in READ_LINES.items()}
TAKE_LINES = {dialect: read.with_for_update(of=_LINE, skip_locked=True) for dialect, read in READ_LINES.items()}
READ_REFUNDS_OF = {dialect: _of_places(_REFUND, _OF_REFUND, asked) for dialect, asked in _PLACES.items()}
_BUYER, _STAFF, _KEY, _NEWER = table_of(Buyer), table_of(Staff), table_of(Transition), table_of(CalendarText)
_ACTIVE = (_STAFF.c.name == bindparam("staff")) & _STAFF.c.active
_AROUND = (  # the line, its refunds, its buyer, the member of staff
    _LINE.outerjoin(_REFUND, (_REFUND.c.order_id == _LINE.c.order_id) & (_REFUND.c.line == _LINE.c.line))
    .outerjoin(_BUYER, _BUYER.c.ref == _LINE.c.buyer)
    .outerjoin(_STAFF, _ACTIVE)
    # they are numbered from 1: to look for one more costs PostgreSQL a fifth of counting them
    .outerjoin(_NEWER, _NEWER.c.ordinal == bindparam("newer"))
)
_HERE = (_LINE.c.order_id == bindparam("order_id"), _LINE.c.line == bindparam("line"))
_SCENE = (
    select(
        *(_LINE.c[name] for name in _OF_LINE),
        *(_REFUND.c[name] for name in _OF_REFUND),
        *_BUYER.c,
        _STAFF.c.roles,
        _NEWER.c.ordinal,
        _KEY.c.seq,
    )
    .select_from(
        _AROUND.outerjoin(
            _KEY,
            (_KEY.c.order_id == _LINE.c.order_id)
            & (_KEY.c.key_scope == bindparam("scope"))
            & (_KEY.c.key == bindparam("key")),
        )
    )
    .where(*_HERE)
)
_SIGHT = (
    select(
        _LINE.c.document,
        *(_LINE.c[name] for name in LEDGER_COLUMNS),
        _REFUND.c.document,
        *_BUYER.c,
        _STAFF.c.roles,
        _NEWER.c.ordinal,
    )
    .select_from(_AROUND)
    .where(*_HERE)
)
READ_SCENE = {"sqlite": _SCENE, "postgresql": _SCENE.add_columns(func.clock_timestamp())}
READ_SIGHT = {"sqlite": _SIGHT, "postgresql": _SIGHT.add_columns(func.clock_timestamp())}


def _parts(*counts: int) -> list[slice]:
    """Return where in a row so many columns each stand, one part after the other."""
    return [slice(*ends) for ends in pairwise(accumulate(counts, initial=0))]


_LINE_PART, _REFUND_PART, _BUYER_PART, _BESIDE = _parts(len(_OF_LINE), len(_OF_REFUND), len(_BUYER.c), 3)
_SEEN_LEDGER, _SEEN_REFUND, _SEEN_BUYER, _SEEN_BESIDE = _parts(1 + len(LEDGER_COLUMNS), 1, len(_BUYER.c), 2)
# Who writes nothing but entries and texts under a place sees to it that nothing else of the line changes either.
CHECK_LINE = select_where(OrderLine, "order_id", "line", columns=("version",)).with_for_update(key_share=True)
CHECK_LINE = CHECK_LINE.where(_LINE.c.version == bindparam("was"))
CHECK_REFUND = select_where(Refund, "order_id", "id", columns=("version",)).with_for_update(key_share=True)
CHECK_REFUND = CHECK_REFUND.where(_REFUND.c.version == bindparam("was"))
# A process that stood still between the two would date its entry back, behind what others have recorded since.
LATEST = timedelta(seconds=10)
INSERT_LINE = in_sets(insert_row(OrderLine))
INSERT_REFUND = in_sets(insert_row(Refund))
INSERT_ENTRY = in_sets(insert_row(Transition, without=("gid",)))
INSERT_EFFECT = in_sets(insert_row(PendingEffect, without=("id",)))
KEEP_PAYOUT = in_sets(insert_or(Payout, update=("state", "void", "channel", "dispatched_at", "asked", "next_ask_at")))
# Where many lines are changed at once all of them were locked before, and with them the refunds on them.
CHANGE_LINE = in_sets(update_version(OrderLine, ("order_id", "line"), _CHANGING_LINE))
CHANGE_LEDGER = in_sets(update_version(OrderLine, ("order_id", "line"), LEDGER_COLUMNS))
CHANGE_REFUND = in_sets(update_version(Refund, ("order_id", "id"), _CHANGING_REFUND))
# In this order: lines before the refunds on them.
_WRITES = (
    CHECK_LINE, INSERT_LINE, CHANGE_LINE, CHANGE_LEDGER, CHECK_REFUND, INSERT_REFUND, CHANGE_REFUND, INSERT_ENTRY,
    KEEP_PAYOUT, INSERT_EFFECT, ADD_PERSONAL, ADD_CONTENT,
)  # fmt: skip
Rows = dict[Executable, list[Mapping[str, Any]]]
COUNT_LINE = (
    update(_LINE)
    .where(_LINE.c.order_id == bindparam("at_order"), _LINE.c.line == bindparam("at_line"))
    .values(repeats=_LINE.c.repeats + 1, **next_version(OrderLine))
)
COUNT_REFUND = (
    update(_REFUND)
    .where(_REFUND.c.order_id == bindparam("at_order"), _REFUND.c.id == bindparam("at_id"))
    .values(repeats=_REFUND.c.repeats + 1, **next_version(Refund))
)
WARN = update_where(Refund, {"order_id": "at_order", "id": "at_id"}, ("warned_at", "next_warn_at"))
WARN = in_sets(WARN.values(next_version(Refund)))


def line_columns(line: Line, ledger: Ledger) -> dict[str, Any]:
    """Derive the columns of an order line from its document and ledger."""
    return {
        "order_id": line["order_id"], "line": line["line"], "buyer": line["buyer"],
        "payment_no": line["payment_no"], "channel": line["channel"], "currency": line["currency"],
        "captured": line["captured"], **asdict(ledger),
        "document": document_text(line), "seq": line["seq"],
    }  # fmt: skip


def refund_columns(case: Case, warned_at: str | None = None) -> dict[str, Any]:
    """Derive the columns of a refund from its document; moments as text."""
    due_at, warn_at = _moments(case, warned_at)
    return {
        "order_id": case["order_id"], "id": case["id"], "line": case["line"], "state": case["state"],
        "buyer": case["buyer"], "submitted_at": case["submitted_at"],
        "next_due_at": due_at, "next_warn_at": warn_at,
        "clear_due_at": due_at if goes_first(case) else None,
        "assignee": case.get("assignee") if due_at is not None else None,
        "claimed": case["claimed"], "approved": case["approved"], "in_flight": case["in_flight"],
        "settled": case["settled"], "abused": "ABUSE_SUSPECTED" in case.get("rejection", {}).get("grounds", ()),
        "document": document_text(case), "seq": case["seq"],
    }  # fmt: skip


def goes_first(case: Case) -> bool:
    """Tell whether a refund stands before all others in a queue: an appeal with clear evidence."""
    return case["state"] == "appealed" and case.get("clear_evidence", False)


def _moments(case: Case, warned_at: str | None) -> tuple[str | None, str | None]:
    """Return when the first deadline is due, and the first warning that was not given yet."""
    due_at: str | None = None
    warn_at: str | None = None
    for item in case["deadlines"].values():
        if due_at is None or item["due_at"] < due_at:
            due_at = item["due_at"]
        warn = item.get("warn_at", "")
        if warn > (warned_at or "") and (warn_at is None or warn < warn_at):
            warn_at = warn
    return due_at, warn_at


class Moves:
    """Reading and committing moves."""

    session: Session
    clock: datetime | None = None  # the server's, read with the newest lock
    calendar_count: int | None = None  # how many calendars there were, at least, read with the newest line

    def aggregate(self, order_id: str, line: str, *, lock: bool) -> Stored | None:
        """Return an order line with its ledger and refunds (in order of number), None where there is none.

        `lock` keeps every other writer off the line until the transaction ends.
        """
        return self._aggregates([(order_id, line)], LOCK_LINE if lock else READ_LINE)[0]

    def scene(
        self, order_id: str, line: str, *, calendars: int, staff: str, scope: str, key: str | None
    ) -> Scene | None:
        """Return what an act on a line finds, all of one moment; None where there is no such line.

        `staff` names the member of staff who acts, `key` the idempotency key that he gives under `scope`; so many
        `calendars` the caller knows. No other writer changes the line until the end, or what is written fails.
        """
        # no key is "", which none is: for a condition of NULL PostgreSQL plans with the entries of all partitions
        asked = {"order_id": order_id, "line": line, "staff": staff, "newer": calendars + 1,
                 "scope": scope, "key": key or ""}  # fmt: skip
        session, postgres = self.session, self.session.dialect == "postgresql"
        if session.locks and postgres:
            place = {"order_id": order_id, "line": line}
            # the second statement sees what was committed while the first waited for the lock, and so does the clock
            rows = session.gather([Question(LOCK_LINE, place), Question(READ_SCENE["postgresql"], asked)])[-1]
        else:
            rows = session.rows(READ_SCENE[session.dialect], **asked)
        if not rows:
            return None
        first = rows[0]
        if postgres:
            self.clock = moment(first[-1])
        roles, newer, used = first[_BESIDE]
        self.calendar_count = calendars if newer is None else newer
        return Scene(
            _stored(first[_LINE_PART], [row[_REFUND_PART] for row in rows if row[_REFUND_PART.start] is not None]),
            buyer_of(first[_BUYER_PART]),
            () if roles is None else roles_of(roles),
            used is not None,
        )

    def sight(self, order_id: str, line: str, *, calendars: int, staff: str) -> Sight | None:
        """Return what a look at a line finds, all of one moment; see `scene`."""
        dialect = self.session.dialect
        rows = self.session.rows(
            READ_SIGHT[dialect], order_id=order_id, line=line, staff=staff, newer=calendars + 1
        )  # fmt: skip
        if not rows:
            return None
        first = rows[0]
        if dialect == "postgresql":
            self.clock = moment(first[-1])
        roles, newer = first[_SEEN_BESIDE]
        self.calendar_count = calendars if newer is None else newer
        document, *amounts = first[_SEEN_LEDGER]
        refunds: dict[str, Case] = {}
        for row in rows:
            if row[_SEEN_REFUND.start] is not None:
                case = read_document(row[_SEEN_REFUND.start])
                refunds[case["id"]] = case
        if len(refunds) > 1:
            refunds = {case["id"]: case for case in sorted(refunds.values(), key=_number)}
        aggregate = Aggregate(read_document(document), Ledger(*amounts), refunds)
        return Sight(aggregate, buyer_of(first[_SEEN_BUYER]), () if roles is None else roles_of(roles))

    def take(self, places: Sequence[tuple[str, str]]) -> list[Stored]:
        """Lock and return those of the order lines (order id, line) that no other writer holds now."""
        return [stored for stored in self._locked(places, TAKE_LINE, TAKE_LINES) if stored is not None]

    def hold(self, places: Sequence[tuple[str, str]]) -> list[Stored | None]:
        """Lock order lines (order id, line) in the order given and return each as `aggregate` does."""
        return self._locked(places, LOCK_LINE, LOCK_LINES)

    def _locked(
        self, places: Sequence[tuple[str, str]], lock_line: Executable, lock_lines: Mapping[DialectName, Executable]
    ) -> list[Stored | None]:
        """Lock lines by one statement where one may span orders."""
        if not self.session.spans_orders:
            return self._aggregates(places, lock_line)
        self.session.by_key()
        asked, dialect = {"places": rows_text(places)}, self.session.dialect
        # the second statement sees what was committed until the locks of the first were there
        questions = [Question(lock_lines[dialect], asked), Question(READ_REFUNDS_OF[dialect], asked)]
        lines, refunds = self._gather(questions, clock=True)
        found, on_line = {number: line for number, *line in lines}, defaultdict[int, list[Row]](list)
        for number, *refund in refunds:
            on_line[number].append(refund)
        numbers = range(_FIRST[dialect], _FIRST[dialect] + len(places))
        return [_stored(found[number], on_line[number]) if number in found else None for number in numbers]

    def _aggregates(self, places: Sequence[tuple[str, str]], read_line: Executable) -> list[Stored | None]:
        """Read lines, each with its refunds; under a lock the clock and the calendars are read behind all of them."""
        questions = []
        for order_id, line in places:
            place = {"order_id": order_id, "line": line}
            # the second statement sees what was committed while the first waited for the lock, and so does the clock
            questions += [Question(read_line, place), Question(READ_REFUNDS, place)]
        answers = self._gather(questions, clock=read_line is not READ_LINE)
        found = zip(answers[::2], answers[1::2], strict=True)
        return [_stored(line[0], refunds) if line else None for line, refunds in found]

    def _gather(self, questions: list[Question], *, clock: bool) -> list[list[Row]]:
        """Return the rows of questions; behind them the calendars are counted and, on a server, its `clock` is read."""
        clock = clock and self.session.dialect == "postgresql"
        beside = [Question(COUNT_CALENDARS, {}), *([Question(READ_CLOCK, {})] if clock else [])]
        answers = self.session.gather(questions + beside)
        self.clock = moment(answers.pop()[0][0]) if clock else None
        self.calendar_count = answers.pop()[0][0]
        return answers

    def commit_moves(
        self,
        moves: Sequence[Move],
        *,
        policy: tuple[str, str] | None = None,
        rehearsed_until: datetime | None = None,
    ) -> None:
        """Write what was decided: entries, the changed lines and refunds, payouts, effects, texts; all or nothing.

        With them go the (version, text) of a policy that may be new, and how far a rehearsal has come.

        Raises:
            Conflict: a line or a refund is no longer what was read, or it was read without a lock too long ago.
        """
        rows = self._rows(moves)
        if policy is not None:
            rows[ADD_POLICY] = [{"version": policy[0], "content": policy[1]}]
        if rehearsed_until is not None:
            rows[REACH_TIME] = [_reached(rehearsed_until)]
        in_time = not self.session.locks and rehearsed_until is None
        self.session.write(rows, until=moves[-1].records[-1].recorded_at + LATEST if in_time else None)

    def commit_each(self, moves: Iterable[Move]) -> None:
        """Write moves of lines that are locked, as they are decided; all or nothing.

        Raises:
            Conflict: see `commit_moves`.
        """
        left = iter(moves)
        self.session.write_each(self._rows(part) for part in iter(lambda: list(islice(left, _PART)), []))

    def _rows(self, moves: Sequence[Move]) -> Rows:
        rows: Rows = {statement: [] for statement in _WRITES}
        checked = not self.session.locks
        for move in moves:
            _write(rows, move, checked=checked)
        if self.session.dialect == "postgresql" and _wake(moves):
            rows[TELL] = [{}]
        return rows

    def give_warnings(self, warned: Sequence[tuple[Case, Sequence[Effect]]], at: datetime) -> None:
        """Add warnings, which belong to no new entry; remember of each refund that those up to `at` were given."""
        rows: Rows = {INSERT_EFFECT: [], WARN: []}
        warned_at = times.text(at)
        for case, effects in warned:
            rows[INSERT_EFFECT] += _effect_rows(case["order_id"], effects, at)
            _, following = _moments(case, warned_at)
            place = {"at_order": case["order_id"], "at_id": case["id"]}
            rows[WARN].append(place | {"warned_at": warned_at, "next_warn_at": following})
        self.session.write(rows)

    def count_refusal(self, stored: Stored, subject: str, *, rehearsed_until: datetime | None = None) -> None:
        """Count one more refusal that is the same as the chain's newest entry; no entry is added."""
        line = stored.aggregate.line
        rows: Rows = {CHECK_LINE: [], CHECK_REFUND: []}
        if not self.session.locks:
            _check(rows, stored, ())
        if subject == stored.subject:
            rows[COUNT_LINE] = [{"at_order": line["order_id"], "at_line": line["line"]}]
        else:
            rows[COUNT_REFUND] = [{"at_order": line["order_id"], "at_id": subject}]
        if rehearsed_until is not None:
            rows[REACH_TIME] = [_reached(rehearsed_until)]
        self.session.write(rows)


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


def _wake(moves: Sequence[Move]) -> bool:
    """Tell whether a commit brings work that a sleeping worker would be late for.

    Every announcement costs: PostgreSQL lets only one transaction at a time commit one.
    """
    now = moves[-1].records[-1].recorded_at
    present, near = times.text(now), times.text(now + NEAR)
    for move in moves:
        for effect in move.decision.effects:
            if effect.kind in URGENT:
                return True
        for subject in {sealed.entry.subject for sealed in move.records}:
            case = move.decision.aggregate.refunds.get(subject)
            for item in case["deadlines"].values() if case else ():
                if present < item["due_at"] <= near or present < item.get("warn_at", "") <= near:
                    return True
    return False


def _stored(line: Row, refunds: Sequence[Row]) -> Stored:
    facts: Line = read_document(line[0])
    subject = line_subject(facts["order_id"], facts["line"])
    _, version, head, refusal, repeats, *amounts = line
    chains, heads, counted = {subject: Chain(version, refusal)}, {subject: head}, {subject: repeats}
    cases: dict[str, Case] = {}
    for document, version, head, refusal, repeats, warned_at in refunds:
        case: Case = read_document(document)
        refund = case["id"]
        cases[refund], heads[refund], counted[refund] = case, head, repeats
        chains[refund] = Chain(version, refusal, written(warned_at) if warned_at else None)
    if len(cases) > 1:
        in_order = sorted(cases, key=lambda refund: _number(cases[refund]))
        cases = {refund: cases[refund] for refund in in_order}
        chains = {subject: chains[subject] for subject in (subject, *in_order)}
    return Stored(subject, Aggregate(facts, Ledger(*amounts), cases), chains, heads, counted)


def _number(case: Case) -> int:
    """Return which refund of its line one is."""
    return int(case["id"].rpartition("-")[2])


def _write(rows: Rows, move: Move, *, checked: bool) -> None:
    """Add what one move writes, each row once; with `checked` also that the rest of the line is still as it was."""
    stored, decision, records = move.stored, move.decision, move.records
    after, line = decision.aggregate, stored.subject
    order_id = after.line["order_id"]
    newest, line_changes, paid = {}, False, False
    for sealed in records:
        entry = sealed.entry
        newest[entry.subject] = sealed
        # a refund that opens is found by whoever has read the line before, whether it moves money or not
        line_changes = line_changes or bool(entry.ledger) or entry.subject not in stored.chains
        paid = paid or "attempts" in entry.patch
        rows[INSERT_ENTRY].append(entry_columns(order_id, sealed))
    if checked:
        _check(rows, stored, {line, *newest} if line_changes else newest)
    for subject, sealed in newest.items():
        before = stored.chains.get(subject)
        if subject == line:
            columns = line_columns(after.line, after.ledger)
            _write_head(rows, INSERT_LINE, CHANGE_LINE, columns, sealed, before)
        else:
            columns = refund_columns(after.refunds[subject], before.warned_at if before else None)
            _write_head(rows, INSERT_REFUND, CHANGE_REFUND, columns, sealed, before)
    if line_changes and line not in newest:  # the chain of the line stays where it is
        place = {"order_id": order_id, "line": after.line["line"], "was": stored.chains[line].version}
        rows[CHANGE_LEDGER].append(asdict(after.ledger) | place)
    if paid:
        rows[KEEP_PAYOUT] += _payout_rows(after, records)
    if move.texts:
        rows[ADD_PERSONAL] += [text._asdict() | {"buyer": after.line["buyer"]} for text in move.texts]
    if move.contents:
        rows[ADD_CONTENT] += [content._asdict() | {"buyer": after.line["buyer"]} for content in move.contents]
    if decision.effects:
        rows[INSERT_EFFECT] += _effect_rows(order_id, decision.effects, records[-1].recorded_at)


def _reached(at: datetime) -> dict[str, str]:
    return {"key": REHEARSAL_TIME, "value": times.text(at)}


def _check(rows: Rows, stored: Stored, written: Container[str]) -> None:
    """Add that what is not written of a line is still what was read."""
    line = stored.aggregate.line
    for subject, chain in stored.chains.items():
        if subject in written:
            continue
        if subject == stored.subject:
            rows[CHECK_LINE].append({"order_id": line["order_id"], "line": line["line"], "was": chain.version})
        else:
            rows[CHECK_REFUND].append({"order_id": line["order_id"], "id": subject, "was": chain.version})


def _write_head(
    rows: Rows, insert: Executable, change: Executable, columns: dict[str, Any], newest: Sealed, before: Chain | None
) -> None:
    columns |= {"head": newest.hash, "refusal": newest.fingerprint, "repeats": 0}
    if before is None:
        rows[insert].append(columns | {"version": 1, "warned_at": None})
    else:
        columns["was"] = before.version
        rows[change].append(columns)


def _payout_rows(after: Aggregate, records: Sequence[Sealed]) -> list[Mapping[str, Json]]:
    """Return the numbers that the entries touched; each touch is definite, so nothing is to be asked for now."""
    touched = {
        (sealed.entry.subject, number): None
        for sealed in records
        for number in sealed.entry.patch.get("attempts") or ()
    }
    return [_payout_columns(after.line, after.refunds[refund], number) for refund, number in touched]


def _payout_columns(line: Line, case: Case, number: str) -> dict[str, Json]:
    attempt = case["attempts"][number]
    return {
        "order_id": case["order_id"], "number": number, "subject": case["id"], "payment_no": line["payment_no"],
        "channel": attempt["channel"], "amount": attempt["amount"], "currency": attempt["currency"],
        "state": attempt["state"], "void": bool(attempt["void"]), "dispatched_at": attempt.get("at"),
        "asked": 0, "next_ask_at": None,
    }  # fmt: skip


def _effect_rows(order_id: str, effects: Sequence[Effect], recorded_at: datetime) -> list[Mapping[str, Json]]:
    recorded = times.text(recorded_at)
    return [
        {
            "order_id": order_id, "subject": effect.subject, "seq": effect.seq, "kind": effect.kind,
            "code": effect.code, "params": document_text(effect.params),
            "effective_at": effect.effective_at, "recorded_at": recorded, "tries": 0, "next_try_at": recorded,
            "problem": None,
        }
        for effect in effects
    ]  # fmt: skip
