"""What a move costs without a clock: commits, statements, round trips to PostgreSQL, bytes of the write-ahead log.

These figures do not depend on the machine: tests hold them to their bounds.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.by_hand import Hand, PostgresHand, PostgresHandAtOnce, open_hand
from bench.counting import Count, count_on, counted_pools
from bench.proxy import RoundTrips, counting
from bench.recorded import Place
from bench.report import Section
from bench.scene import EVENTS, Scene, Wanted, build, move
from refundflow.service import Refunds

MOVES = 24  # whose bytes of log are measured together
TRIPS = 3  # moves whose round trips are counted: the least counts, a slow machine can only add to it
WARM_UP = 6  # after so many repetitions a statement is prepared
_OTHERS = ("trips", "trips by hand", "trips at once", "statements", "statements by hand")
Make = Callable[[Place], Any]  # one move
_LOG_HEADER, _FRAME_HEADER = 32, 24  # bytes, of the write-ahead log of SQLite


class Logged(NamedTuple):
    """What one move leaves in the write-ahead log."""

    size: float  # bytes
    commits: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one move costs in one way; no round trips where there is no server."""

    commits: float
    statements: int
    log_bytes: float
    trips: int | None = None


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one move costs through the facade and by hand, and the round trips of the one statement by hand."""

    facade: Cost
    hand: Cost
    trips_at_once: int | None = None

    @property
    def log_ratio(self) -> float:
        """Return how many times the floor's bytes of log refundflow writes."""
        return self.facade.log_bytes / self.hand.log_bytes


def count(url: str, events: Sequence[str] = tuple(EVENTS), refunds: int = 1_000) -> Mapping[str, Costs]:
    """Count on a new database, by event; on PostgreSQL `full_page_writes` must be off.

    Pages that are written whole after a checkpoint would be counted to whoever touches them first.
    """
    scene = build("", url, Wanted(refunds, MOVES, events=events), ("refundflow", "by hand", *_OTHERS))
    return {event: _costs(scene, event) for event in events}


def _costs(scene: Scene, event: str) -> Costs:
    facade_log, hand_log = _logs(scene, event)
    facade, by_hand = _statements(scene, event)
    trips: Sequence[int | None] = [None] * 3 if scene.url.startswith("sqlite:") else _trips(scene, event)
    return Costs(
        facade=Cost(commits=facade_log.commits, log_bytes=facade_log.size, statements=facade, trips=trips[0]),
        hand=Cost(commits=hand_log.commits, log_bytes=hand_log.size, statements=by_hand, trips=trips[1]),
        trips_at_once=trips[2],
    )


def _logs(scene: Scene, event: str) -> tuple[Logged, Logged]:
    """Return what one move through the facade and by hand leaves in the log."""
    logged = _sqlite_logged if scene.url.startswith("sqlite:") else _postgres_logged
    with closing(open_hand(scene.url)) as hand, Refunds.connect(scene.url) as refunds:
        places, by_hand = scene.places["refundflow"][event], scene.places["by hand"][event]
        return (
            logged(hand, lambda place: move(refunds, event, place), places),
            logged(hand, lambda place: hand.one(scene.recordings[event], place), by_hand),
        )


def _sqlite_logged(hand: Hand, make: Make, places: Sequence[Place]) -> Logged:
    """Read the frames of the write-ahead log: those that end a transaction tell the size of the database."""
    hand.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    for place in places:
        make(place)
    _, _, path = hand.connection.execute("PRAGMA database_list").fetchone()
    log = Path(f"{path}-wal").read_bytes()
    page = int.from_bytes(log[8:12], "big")
    frames = range(_LOG_HEADER, len(log), _FRAME_HEADER + page)
    commits = sum(log[frame + 4 : frame + 8] != bytes(4) for frame in frames)
    return Logged(size=len(log) / len(places), commits=commits / len(places))


def _postgres_logged(hand: Hand, make: Make, places: Sequence[Place]) -> Logged:
    """Ask how far the log and the numbers of writing transactions have come."""
    asked = "SELECT pg_current_wal_insert_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = hand.connection.execute(asked).fetchone()
    for place in places:
        make(place)
    after = hand.connection.execute(asked).fetchone()
    size, commits = (float(late - early) / len(places) for late, early in zip(after, before, strict=True))
    return Logged(size=size, commits=commits)


def _trips(scene: Scene, event: str) -> tuple[int, int, int]:
    """Count the round trips of one move through the facade, by hand, and by hand in one statement."""
    with counting(scene.url) as (through, trips), Refunds.connect(through) as refunds:
        facade = _least(trips, lambda place: move(refunds, event, place), scene.places["trips"][event])
    by_hand = []
    for arm, kind in (("trips by hand", PostgresHand), ("trips at once", PostgresHandAtOnce)):
        with counting(scene.url) as (through, trips), closing(kind(through)) as hand:
            make = partial(hand.one, scene.recordings[event])
            by_hand.append(_least(trips, make, scene.places[arm][event]))
    return facade, by_hand[0], by_hand[1]


def _least(trips: RoundTrips, make: Make, places: Sequence[Place]) -> int:
    found = []
    for place in places[: WARM_UP + TRIPS]:
        before = trips.count
        make(place)
        found.append(trips.count - before)
    return min(found[WARM_UP:])


def _statements(scene: Scene, event: str) -> tuple[int, int]:
    """Count the statements of one move through the facade and by hand, BEGIN and COMMIT included."""
    facade, by_hand = Count(), Count()
    with counted_pools(facade), Refunds.connect(scene.url) as refunds:
        refunds.engine.read(lambda tx: tx.count_entries())  # opens the connection, settings and all
        before = facade.statements
        move(refunds, event, scene.places["statements"][event][0])
        counted = facade.statements - before
    with closing(open_hand(scene.url)) as hand:
        count_on(hand.connection, by_hand)
        hand.one(scene.recordings[event], scene.places["statements by hand"][event][0])
    return counted, by_hand.statements


def section(counted: Mapping[str, Mapping[str, Costs]]) -> Section:
    """Write the table of all databases."""
    rows = []
    for database, costs in counted.items():
        for event, cost in costs.items():
            facade, hand = cost.facade, cost.hand
            trips = f"{facade.trips} / {hand.trips} / {cost.trips_at_once}" if facade.trips else ""
            rows.append((
                database, f"`{event}`", f"{facade.commits:g} / {hand.commits:g}",
                f"{facade.statements} / {hand.statements}", trips,
                f"{facade.log_bytes:,.0f} / {hand.log_bytes:,.0f}", f"**{cost.log_ratio:.2f}**",
            ))  # fmt: skip
    return Section(
        title="What a move costs without a clock", rows=rows, about=_ABOUT,
        head=("database", "move", "commits", "statements", "round trips", "log bytes", "ratio"),
    )  # fmt: skip


_ABOUT = f"""\
refundflow / by hand, on any machine the same; for round trips the one statement by hand comes third. Commits are those
that the write-ahead log holds, statements include BEGIN and COMMIT. Log bytes are per move, of {MOVES} moves (SQLite:
whole pages; PostgreSQL with `full_page_writes` off, so that nobody pays for a page that another has touched first)."""
