"""Pages of the log and of whole orders up to a number: what exports read, in constant memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, LargeBinary, bindparam, case, cast, null, select, tuple_

from refundflow.store.sessions import Question, Session
from refundflow.tables import Transition, table_of

_LOG = table_of(Transition)
_UNTIL = bindparam("until", type_=BigInteger())
_PAGE = bindparam("page", type_=Integer())
_ENTRY = (_LOG.c.gid, _LOG.c.order_id, _LOG.c.subject, _LOG.c.seq, _LOG.c.body, _LOG.c.hash)
_PLACE = tuple_(_LOG.c.order_id, _LOG.c.subject, _LOG.c.seq)
_BEHIND = tuple_(bindparam("order_id"), bindparam("subject"), bindparam("seq", type_=BigInteger()))

READ_PAGE = (
    select(*_ENTRY)
    .where(_LOG.c.gid > bindparam("after", type_=BigInteger()), _LOG.c.gid <= _UNTIL)
    .order_by(_LOG.c.gid)
    .limit(_PAGE)
)
READ_BY_PLACE = select(*_ENTRY).where(_BEHIND < _PLACE, _LOG.c.gid <= _UNTIL).order_by(*_PLACE.clauses).limit(_PAGE)
# With the bodies only of those entries that say what a refund or a line began as.
_BEGINNING = case(
    (_LOG.c.event.in_(("submit", "registered", "imported")), _LOG.c.body), else_=cast(null(), LargeBinary)
)
_FACTS = (
    _LOG.c.order_id,
    _LOG.c.subject,
    _LOG.c.kind,
    _LOG.c.event,
    _LOG.c.after,
    _LOG.c.actor_role,
    _LOG.c.actor_name,
)
FIND_NUMBER = select(_LOG.c.gid).order_by(_LOG.c.gid).offset(bindparam("skipped", type_=BigInteger())).limit(1)

READ_BODIES = (
    select(_LOG.c.body)
    .where(
        _LOG.c.order_id == bindparam("order_id"), _LOG.c.subject == bindparam("subject"),
        _LOG.c.seq <= bindparam("upto", type_=BigInteger()),
    )
    .order_by(_LOG.c.seq)
)  # fmt: skip


class LogEntry(NamedTuple):
    """One entry as exports read it: where it stands, its exact bytes, and the stored hash."""

    gid: int
    order_id: str
    subject: str
    seq: int
    body: bytes
    hash: str


class LogPage(NamedTuple):
    """Entries in log order, and by their numbers the bodies of the chains up to those that ask for them."""

    entries: list[LogEntry]
    chains: Mapping[int, list[bytes]]


class EntryFacts(NamedTuple):
    """What filters ask of one entry; `body` only of those that open a refund or a line."""

    order_id: str
    subject: str
    kind: str
    event: str
    after: str | None
    actor_role: str
    actor_name: str
    body: bytes | None


class LogPages:
    """Reading the log onward, page by page; what lies up to `until` must have settled."""

    session: Session

    def log_pages(
        self, *, after: int, until: int, page: int, most: int, with_chain: Callable[[bytes], bool]
    ) -> Iterator[LogPage]:
        """Yield at most so many pages behind the number `after`; one that is not full is the last of the log.

        `with_chain` tells by its body whether an entry asks for its chain. Where a server works by itself, it reads
        the next page, and the chains for it, while the one that was yielded is used.
        """
        entries: list[LogEntry] = []
        asking: list[LogEntry] = []
        answers = self.session.ahead([Question(READ_PAGE, {"after": after, "until": until, "page": page})])
        while True:
            *chains, rows = answers()
            self.session.forget_pages()
            found = {entry.gid: [body for (body,) in chain] for entry, chain in zip(asking, chains, strict=True)}
            ready, entries = entries, list(map(LogEntry._make, rows))
            if entries:
                most -= 1
                asking = [entry for entry in entries if with_chain(entry.body)]
                onward = page if most and len(entries) == page else 0
                behind = Question(READ_PAGE, {"after": entries[-1].gid, "until": until, "page": onward})
                answers = self.session.ahead([*map(_chain, asking), behind])
            if ready:
                yield LogPage(ready, found)
            if not entries:
                return

    def place_page(self, place: tuple[str, str, int], *, until: int, page: int) -> list[LogEntry]:
        """Return the next entries behind a place, by order id, subject and seq."""
        order_id, subject, seq = place
        asked: dict[str, Any] = {"order_id": order_id, "subject": subject, "seq": seq, "until": until, "page": page}
        rows = self.session.binary_rows(READ_BY_PLACE, **asked)
        self.session.forget_pages()
        return list(map(LogEntry._make, rows))

    def bodies(self, order_id: str, subject: str, *, upto: int) -> list[bytes]:
        """Return the bodies of a chain in order, up to the entry `upto`."""
        rows = self.session.binary_rows(READ_BODIES, order_id=order_id, subject=subject, upto=upto)
        return [body for (body,) in rows]

    def order_facts(self, order_ids: Sequence[str], *, until: int) -> list[EntryFacts]:
        """Return what filters ask of every entry of some orders, chain by chain in order."""
        asked = (
            select(*_FACTS, _BEGINNING)
            .where(_LOG.c.order_id.in_(order_ids), _LOG.c.gid <= until)
            .order_by(_LOG.c.order_id, _LOG.c.subject, _LOG.c.seq)
        )
        return [EntryFacts(*row) for row in self.session.ask(asked)]

    def number_at(self, position: int) -> int | None:
        """Return the number of the entry at a position of the log, 0-based; None behind the end."""
        row = self.session.one(FIND_NUMBER, skipped=position)
        return int(row[0]) if row else None


def _chain(entry: LogEntry) -> Question:
    return Question(READ_BODIES, {"order_id": entry.order_id, "subject": entry.subject, "upto": entry.seq})
