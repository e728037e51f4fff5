"""What an export reads: the entries that filters choose, up to a fixed size of the log, page by page.

Some pages share one short read. What lies below the size never changes, so that the same question has the same
answer at any time, and an export that was interrupted goes on where it stood.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import orjson

from refundflow.errors import ProofFailed
from refundflow.export.chosen import Chooser
from refundflow.store import LogEntry, LogPage, Tx
from states.case import merge

Json = Any
T = TypeVar("T")
Reading = Callable[[], AbstractContextManager[Tx]]
PAGE = 500  # entries
_PAGES = 40  # of one read
_KEPT_ORDERS = 2_000
_DUE_WITHOUT_RULE = re.compile(rb'"due_at":(?![^}]*"rule":)').search


class Entry(NamedTuple):
    """One entry with its leaf number (0 where orders are read), its exact bytes and what they say."""

    leaf: int
    stored: LogEntry
    body: Mapping[str, Json]
    deadlines: Sequence[Mapping[str, Json]]


class Source:
    """Reads the chosen entries below a size of the log; `first` and `start` are of the first one in question."""

    def __init__(self, reading: Reading, *, last_gid: int, chooser: Chooser, first: int = 0, start: int = 0) -> None:
        self._reading, self._until, self._chooser = reading, last_gid, chooser
        self._first, self._start = first, start
        self._orders: OrderedDict[str, frozenset[str]] = OrderedDict()

    def pages(
        self, make: Callable[[Entry], T], cursor: Sequence[int] | None = None, *, size: int = PAGE
    ) -> Iterator[tuple[list[T], list[int]]]:
        """Yield what is made of the entries in log order, a page at a time, and the cursor: [number, next leaf].

        `make` is given one entry after the other, so that no more than one is held as it was read.
        """
        after, leaf = cursor or (self._start, self._first)
        more = True
        while more:
            more = False
            with self._reading() as tx:
                for page in tx.log_pages(after=after, until=self._until, page=size, most=_PAGES, with_chain=_set_again):
                    made = [make(entry) for entry in self._chosen(tx, page, leaf)]
                    after, leaf, more = page.entries[-1].gid, leaf + len(page.entries), len(page.entries) == size
                    yield made, [after, leaf]

    def _chosen(self, tx: Tx, page: LogPage, leaf: int) -> Iterator[Entry]:
        """Yield the chosen ones of some entries, each read only when it is its turn."""
        chooser, chains = self._chooser, page.chains
        self._learn(tx, {stored.order_id for stored in page.entries})
        for number, stored in enumerate(page.entries, leaf):
            if chooser.everything:
                yield _entry(tx, stored, number, chains)
            elif not chooser.refunds_only or stored.subject in self._orders[stored.order_id]:
                entry = _entry(tx, stored, number, chains)
                if chooser.in_time(entry.body):
                    yield entry

    def orders(self, make: Callable[[Iterator[Entry]], T], cursor: str | None = None) -> Iterator[tuple[T, str]]:
        """Yield what is made of the entries of order after order, chain by chain, and the cursor: the order id."""
        for order_id, read in groupby(self._by_place(cursor), key=lambda stored: stored.order_id):
            looked_at = LogPage([stored for stored in read if stored.gid > self._start], {})
            with self._reading() as tx:
                made = make(self._chosen(tx, looked_at, 0))
            yield made, order_id

    def _by_place(self, cursor: str | None) -> Iterator[LogEntry]:
        # behind every subject of the order, whose names are below the greatest character
        place = ("", "", -1) if cursor is None else (cursor, "\U0010ffff", 0)
        while True:
            with self._reading() as tx:
                read = tx.place_page(place, until=self._until, page=PAGE)
            yield from read
            if len(read) < PAGE:
                return
            place = (read[-1].order_id, read[-1].subject, read[-1].seq)

    def _learn(self, tx: Tx, order_ids: set[str]) -> None:
        """Look up which chains of some orders are chosen; the answers of the last orders are kept."""
        if not self._chooser.refunds_only:
            return
        unknown = sorted(order_ids - self._orders.keys())
        self._orders.update(self._chooser.choose(tx, unknown, until=self._until))
        while len(self._orders) > _KEPT_ORDERS + len(order_ids):
            self._orders.popitem(last=False)


def _entry(tx: Tx, stored: LogEntry, leaf: int, chains: Mapping[int, Sequence[bytes]]) -> Entry:
    """Read the body; whoever made it unreadable is told with its place.

    Raises:
        ProofFailed: the body of the entry cannot be read.
    """
    try:
        body = orjson.loads(stored.body)
        told = body["patch"].get("deadlines")
        return Entry(leaf, stored, body, _deadlines(tx, stored, told, chains) if told else ())
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise unreadable(stored, problem) from problem


def unreadable(stored: LogEntry, problem: Exception) -> ProofFailed:
    """Name the entry whose body cannot be read."""
    return ProofFailed([f"{stored.subject}#{stored.seq}: the body cannot be read: {problem!r}"])


def _set_again(body: bytes) -> bool:
    """Guess, before it is parsed, whether an entry tells of a deadline only what changed in it."""
    return _DUE_WITHOUT_RULE(body) is not None


def _deadlines(
    tx: Tx, stored: LogEntry, told: Mapping[str, Json], chains: Mapping[int, Sequence[bytes]]
) -> list[dict[str, Json]]:
    """Return the deadlines that an entry set, each in full."""
    try:
        return [_deadline(name, item) for name, item in told.items() if item is not None]
    except KeyError:
        # Set again, a deadline is told by what changed in it: the rest stands in the entries before.
        standing: dict[str, Json] = {}
        chain = chains.get(stored.gid) or tx.bodies(stored.order_id, stored.subject, upto=stored.seq)
        for before in chain:
            standing = merge(standing, orjson.loads(before)["patch"].get("deadlines") or {})
        return [_deadline(name, standing[name]) for name, item in told.items() if item is not None]


def _deadline(name: str, item: Mapping[str, Json]) -> dict[str, Json]:
    provisional = item.get("provisional", False)
    return {"name": name, "due_at": item["due_at"], "rule": item["rule"], "provisional": provisional}
