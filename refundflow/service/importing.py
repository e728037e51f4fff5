"""One import of history: each case judged on its line, then told in entries or rejected; or only imagined."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import asdict

from refundflow import audit, policies
from refundflow.errors import BadInput
from refundflow.history import CaseRow, content_of
from refundflow.orders import RejectedRow
from refundflow.service.callers import Caller
from refundflow.service.engine import Engine
from refundflow.service.line_acts import changes_of, line_of, new_buyer, require_same
from refundflow.store import Move, Stored, StoredText, Tx
from refundflow.vault import BuyerRow, mask
from states.case import Actor, Aggregate, Decision, Ledger, line_subject
from states.history import ToldCase, ToldEvent, import_case, problems, told_before

IMPORTED, UNCHANGED = "imported", "unchanged"
Answer = str | RejectedRow


class Imagined:
    """The lines of a dry run as the cases before have left them: on disk, in a private file that vanishes by itself."""

    def __init__(self) -> None:
        self.buyers: dict[str, BuyerRow] = {}
        self._lines = sqlite3.connect("")
        self._lines.execute("CREATE TABLE lines (place TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID")

    def get(self, row: CaseRow) -> Aggregate | None:
        """Return the line of a case, None where no case before was on it."""
        found = self._lines.execute("SELECT document FROM lines WHERE place = ?", (subject_of(row),)).fetchone()
        if found is None:
            return None
        line, ledger, refunds = json.loads(found[0])
        return Aggregate(line=line, ledger=Ledger(**ledger), refunds=refunds)

    def put(self, row: CaseRow, aggregate: Aggregate) -> None:
        """Keep the line of a case."""
        document = json.dumps([aggregate.line, asdict(aggregate.ledger), aggregate.refunds])
        self._lines.execute("INSERT OR REPLACE INTO lines VALUES (?, ?)", (subject_of(row), document))

    def close(self) -> None:
        """Forget everything."""
        self._lines.close()


class Import:
    """The import of one file by one service."""

    def __init__(self, engine: Engine, caller: Caller, file: str, at: datetime | None) -> None:
        self.engine, self._file, self._at = engine, file, at
        self._actor = Actor(role=caller.role, name=caller.name)

    def take_in(self, tx: Tx, rows: Sequence[CaseRow]) -> dict[int, Answer]:
        """Take cases in; the answer says of each line of the file what became of its case.

        The lines are locked in the order of the cases.
        """
        answers: dict[int, Answer] = {}
        for some in _rounds(rows):
            lines = tx.hold([(row.order.order_id, row.order.line) for row in some])
            now = self.engine.time(tx, self._at)
            tx.commit_each(self._moves(tx, zip(some, lines, strict=True), now, answers))
            self.engine.reached(tx, now)
        if IMPORTED in answers.values():
            policy = self.engine.policy
            tx.put_policy(policy.version, policies.content_of(policy))
        return answers

    def _moves(
        self, tx: Tx, cases: Iterable[tuple[CaseRow, Stored | None]], now: datetime, answers: dict[int, Answer]
    ) -> Iterator[Move]:
        """Yield what is to be written of cases, each on a line of its own, and say what becomes of each."""
        for row, stored in cases:
            answer = self._judge(tx, row, stored, now)
            if isinstance(answer, Move):
                yield answer
            answers[row.line_number] = IMPORTED if isinstance(answer, Move) else answer

    def _judge(self, tx: Tx, row: CaseRow, stored: Stored | None, now: datetime) -> Move | Answer:
        buyer_id = row.order.buyer_id
        found = tx.buyer_by_lookup(self.engine.vault.buyer_lookup(buyer_id), share=stored is None)
        owner = found or self.engine.vault.new_buyer(buyer_id)  # kept below, if the case is
        before = stored.aggregate if stored else None
        decided = self._decide(tx, row, before, owner, now)
        if not isinstance(decided, Decision):
            return decided
        if stored is None and found is None:
            owner = new_buyer(self.engine, tx, buyer_id)
            decided = self._decide(tx, row, before, owner, now)
            assert isinstance(decided, Decision), "only the reference of the buyer is another"
        return self._move(row, stored or Stored.opening(_opened(row, owner)), decided, owner, now)

    def imagine(self, tx: Tx, rows: Sequence[CaseRow], imagined: Imagined) -> dict[int, Answer]:
        """Say what would become of cases after those imagined before, and change nothing."""
        answers: dict[int, Answer] = {}
        for row in rows:
            order = row.order
            lookup = self.engine.vault.buyer_lookup(order.buyer_id)
            owner = tx.buyer_by_lookup(lookup) or imagined.buyers.get(lookup)
            if owner is None:
                owner = imagined.buyers[lookup] = self.engine.vault.new_buyer(order.buyer_id)
            stored = tx.aggregate(order.order_id, order.line, lock=False)
            before = imagined.get(row) or (stored.aggregate if stored else None)
            answer = self._decide(tx, row, before, owner, self.engine.time(tx, self._at))
            if isinstance(answer, Decision):
                imagined.put(row, answer.aggregate)
            answers[row.line_number] = IMPORTED if isinstance(answer, Decision) else answer
        return answers

    def _decide(
        self, tx: Tx, row: CaseRow, before: Aggregate | None, owner: BuyerRow, now: datetime
    ) -> Decision | Answer:
        """Judge one case on its line as it stands: what is to be recorded, or why nothing is."""
        if before is not None and (known := told_before(before, row.case)) is not None:
            source = known["imported"]
            if "erased" in before.line or source["digest"] == self._digest(row, owner):
                return UNCHANGED
            where = f"line {source['row']} of the file {source['file'][:12]}…"
            return _rejected(row, f"case {row.case} was imported with other content, from {where}")
        try:
            _require_same_line(before, row, owner)
        except BadInput as problem:
            return _rejected(row, problem.message)
        aggregate = before or _opened(row, owner)
        told, rules = self._told(row, owner), self.engine.rules(tx, aggregate)
        wrong = list(problems(aggregate.line, aggregate.ledger, told, rules=rules, now=now))
        if wrong:
            return _rejected(row, "; ".join(wrong))
        return import_case(aggregate, told, self._actor, registered=before is not None, rules=rules, now=now)

    def _told(self, row: CaseRow, owner: BuyerRow) -> ToldCase:
        events = tuple(
            ToldEvent(
                at=event.at, state=event.state, role=event.role, name=event.name, told=event.told,
                approved=event.approved_minor, grounds=event.grounds, texts=tuple(_texts(row, number)),
            )
            for number, event in enumerate(row.events)
        )  # fmt: skip
        source = {"file": self._file, "row": row.line_number, "digest": self._digest(row, owner)}
        return ToldCase(
            id=row.case, reason=row.reason, usage=row.order.usage, claimed=row.claimed_minor, events=events,
            source=source,
        )  # fmt: skip

    def _digest(self, row: CaseRow, owner: BuyerRow) -> str:
        """Name the content of a case under the key of its buyer, wherever it stands in its file."""
        return self.engine.vault.request_hash(owner.key, content_of(row))

    def _move(self, row: CaseRow, stored: Stored, decision: Decision, owner: BuyerRow, now: datetime) -> Move:
        """Seal what was decided."""
        vault, first = self.engine.vault, decision.entry or 0
        own = list(enumerate(decision.entries))[first:]
        texts = {index: _texts(row, number) for number, (index, _) in enumerate(own)}
        commitments = {
            index: {
                name: vault.commitment(owner.key, entry.subject, entry.seq, name, text)
                for name, text in texts[index].items()
            }
            for index, entry in own
        }
        sealed = audit.seal(
            decision.entries, heads=stored.heads, recorded_at=now, commitments=commitments, repeats=stored.repeats
        )
        kept = [
            StoredText(
                row.order.order_id, entry.subject, entry.seq, name,
                vault.encrypt(owner.key, text, f"{entry.subject}|{entry.seq}|{name}"),
            )
            for index, entry in own
            for name, text in texts[index].items()
        ]  # fmt: skip
        return Move(stored, decision, sealed, kept)


def _rounds(rows: Sequence[CaseRow]) -> list[list[CaseRow]]:
    """Split cases so that no line comes twice in a round: the next case on it finds what the one before has left."""
    rounds: list[list[CaseRow]] = []
    of_line = Counter[str]()
    for row in rows:
        subject = subject_of(row)
        if of_line[subject] == len(rounds):
            rounds.append([])
        rounds[of_line[subject]].append(row)
        of_line[subject] += 1
    return rounds


def subject_of(row: CaseRow) -> str:
    """Name the order line of a case."""
    return line_subject(row.order.order_id, row.order.line)


def _opened(row: CaseRow, owner: BuyerRow) -> Aggregate:
    return Aggregate(line=line_of(row.order, owner.ref), ledger=Ledger(), refunds={})


def _texts(row: CaseRow, number: int) -> dict[str, str]:
    """Return what was written with an event, secrets masked."""
    event, keep = row.events[number], (row.order.order_id, row.order.payment_no)
    return {name: mask(text, keep=keep) for name, text in (("message", event.message), ("note", event.note)) if text}


def _require_same_line(before: Aggregate | None, row: CaseRow, owner: BuyerRow) -> None:
    """Check that the line is the one that the case tells; its usage may have changed since.

    Raises:
        BadInput: it is another, or that of an erased buyer.
    """
    if before is None:
        return
    if "erased" in before.line:
        raise BadInput(f"the buyer of order {subject_of(row)} was erased: nothing of his is taken in any more")
    require_same(before.line, row.order, owner)
    other = [event for event, _ in changes_of(before.line, row.order) if event != "usage_recorded"]
    if other:
        raise BadInput(f"order {subject_of(row)} is registered otherwise: {', '.join(other)}")


def _rejected(row: CaseRow, reason: str) -> RejectedRow:
    return RejectedRow(line_number=row.line_number, reason=reason, raw=f"{row.case} {subject_of(row)}")
