"""Measuring: the facade and the hand in turn, each move on a refund of its own."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.by_hand import Recorded, move_by_hand, newest, open_hand, recorded
from bench.counting import Count, count_on, counted_pools
from bench.scene import Place, move, set_up, submitted
from refundflow.service import Refunds

MOVES = ("begin_review", "approve", "withdraw")
WARM_UP = 20  # pairs at most that are not counted


@dataclass(kw_only=True)
class Times:
    """Wall and CPU time of each repetition, in milliseconds; CPU is that of the calling process."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], None]) -> None:
        """Run once and keep how long it took."""
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        work()
        self.cpu.append((time.process_time_ns() - cpu) / 1e6)
        self.wall.append((time.perf_counter_ns() - wall) / 1e6)

    @property
    def median(self) -> float:
        """Return the median wall time."""
        return statistics.median(self.wall)

    @property
    def p90(self) -> float:
        """Return the wall time that nine of ten did not exceed."""
        return statistics.quantiles(self.wall, n=10)[-1]

    @property
    def cpu_median(self) -> float:
        """Return the median CPU time."""
        return statistics.median(self.cpu)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One move on one database, through the facade and by hand."""

    database: str
    move: str
    rows: int
    facade: Times
    hand: Times
    facade_count: Count
    hand_count: Count


def measure(database: str, url: str, pairs: int) -> list[Result]:
    """Measure all moves on a new database.

    Raises:
        RuntimeError: the database does not verify afterwards, so the two did not write the same.
    """
    set_up(url)
    per_move = 2 * (_warm_up(pairs) + pairs) + 3  # one to record, two to count
    with Refunds.connect(url) as refunds:
        reviewed = submitted(refunds, 0, per_move)
        withdrawn = submitted(refunds, per_move, per_move)
        results = [
            _measure(database, url, refunds, event, pairs, withdrawn if event == "withdraw" else reviewed)
            for event in MOVES
        ]
        findings = refunds.verify().findings
    if findings:
        raise RuntimeError(f"{len(findings)} findings, the first: {findings[0]}")
    return results


def _warm_up(pairs: int) -> int:
    return min(WARM_UP, pairs)


def _measure(database: str, url: str, refunds: Refunds, event: str, pairs: int, places: Sequence[Place]) -> Result:
    sample, counted, counted_hand, *rest = places
    hand = open_hand(url)
    before = newest(hand, sample)
    move(refunds, event, sample)
    model = recorded(hand, sample, before)
    facade, by_hand = Times(), Times()
    for number, (one, other) in enumerate(zip(rest[::2], rest[1::2], strict=True)):
        if number == _warm_up(pairs):
            facade, by_hand = Times(), Times()
            gc.collect()
        turns = [
            (facade, lambda place=one: move(refunds, event, place)),
            (by_hand, lambda place=other: move_by_hand(hand, model, place)),
        ]
        for times, work in turns if number % 2 else reversed(turns):
            times.take(work)
    hand.close()
    return Result(
        database=database, move=event, rows=model.rows, facade=facade, hand=by_hand,
        facade_count=_count_facade(url, event, counted), hand_count=_count_hand(url, model, counted_hand),
    )  # fmt: skip


def _count_facade(url: str, event: str, place: Place) -> Count:
    count = Count()
    with counted_pools(count), Refunds.connect(url) as refunds:
        refunds.engine.read(lambda tx: tx.count_entries())  # opens the connection, settings and all
        count.statements = count.commits = 0
        move(refunds, event, place)
        return Count(statements=count.statements, commits=count.commits)


def _count_hand(url: str, model: Recorded, place: Place) -> Count:
    count = Count()
    hand = open_hand(url)
    count_on(hand.connection, count)
    move_by_hand(hand, model, place)
    hand.close()
    return count
