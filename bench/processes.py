"""Many processes on one database: how long a move takes then, and how many are made in all, against one process."""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.moves import AT_ONCE, OURS, STEPS, STYLES
from bench.report import Section, table
from bench.rounds import Arm, Running
from bench.scene import Scene, Wanted, build, fresh

PROCESSES = 8
EVENT = "request_evidence"


@dataclass(kw_only=True)
class Together:
    """What processes did together, round by round."""

    taken: list[float] = field(default_factory=list)  # milliseconds of every move
    rates: list[float] = field(default_factory=list)  # moves a second of every round

    @property
    def median(self) -> float:
        """Return the median of a move, in milliseconds."""
        return statistics.median(self.taken)

    @property
    def p99(self) -> float:
        """Return what 99 of 100 moves did not exceed, in milliseconds."""
        return statistics.quantiles(self.taken, n=100)[-1]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One process and many, in the same rounds."""

    one: Together
    many: Together

    @property
    def rate(self) -> float:
        """Return how many times the rate of one process the many reach."""
        pairs = zip(self.many.rates, self.one.rates, strict=True)
        return statistics.median(many / one for many, one in pairs)


def main() -> None:
    """Measure each database and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.processes", description=__doc__)
    parser.add_argument("--refunds", type=int, default=100_000, help="in the database (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="of 40 moves of each process (default: %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    measured = {}
    for kind in [given.only] if given.only else ["sqlite", "postgresql"]:
        with fresh(kind) as url:
            measured[kind] = measure(url, refunds=given.refunds, rounds=given.rounds, moves=40)
    print(table(section(measured)))


def measure(url: str, *, refunds: int, rounds: int, moves: int) -> dict[str, Compared]:
    """Let one process make as many moves alone as many then make together, in turn, on a new database.

    So does the floor: what it reaches is what the machine and the database allow.
    """
    share = (rounds + 1) * moves  # of each of the many
    floor = STEPS if url.startswith("sqlite:") else AT_ONCE
    scene = build("", url, Wanted(refunds, 2 * PROCESSES * share, events=(EVENT,)), (OURS, floor))
    compared = {way: Compared(one=Together(), many=Together()) for way in (OURS, floor)}
    with Running(dict(_programs(scene, share))) as running:
        arms = {way: [arm for (whose, _), arm in running.arms.items() if whose == way] for way in compared}
        turns = [
            turn
            for way, (alone, *many) in arms.items()
            for turn in (([alone], moves * PROCESSES, compared[way].one), (many, moves, compared[way].many))
        ]
        for number in range(rounds + 1):
            for taking_part, count, together in turns if number % 2 else reversed(turns):
                _round(taking_part, count, together if number else Together())
    return compared


def _programs(scene: Scene, share: int) -> Iterator[tuple[tuple[str, int], tuple[str, str, Mapping[str, object]]]]:
    """Yield the programs of each way: the first works alone, the others together."""
    for way, dealt in scene.places.items():
        module = "bench.arms.facade" if way == OURS else "bench.arms.hand"
        alone, together = dealt[EVENT][PROCESSES * share :], dealt[EVENT]
        parts = [alone, *(together[number * share :][:share] for number in range(PROCESSES))]
        for number, places in enumerate(parts):
            plan = {
                "url": scene.url, "synchronous": scene.synchronous, "style": STYLES[way],
                "recordings": scene.recordings, "places": {EVENT: places},
            }  # fmt: skip
            yield (way, number), (sys.executable, module, plan)


def _round(arms: Sequence[Arm], count: int, together: Together) -> None:
    begun = time.perf_counter()
    for arm in arms:
        arm.begin(EVENT, count)
    for arm in arms:
        together.taken += arm.taken()["wall"]
    together.rates.append(count * len(arms) / (time.perf_counter() - begun))


def section(measured: Mapping[str, Mapping[str, Compared]]) -> Section:
    """Write the table of all databases."""
    rows = [
        (
            database, way, f"{found.one.median:.2f}", f"{found.one.p99:.1f}", f"{found.many.median:.2f}",
            f"{found.many.p99:.1f}", f"{found.many.p99 / found.many.median:.1f}",
            f"{statistics.median(found.one.rates):.0f}", f"{statistics.median(found.many.rates):.0f}",
            f"**{found.rate:.2f}**",
        )
        for database, ways in measured.items()
        for way, found in ways.items()
    ]  # fmt: skip
    return Section(
        title=f"{PROCESSES} processes", rows=rows, about=_ABOUT,
        head=("database", "way", "one, ms", "p99", f"{PROCESSES}, ms", "p99", "p99 / median", "one, moves/s",
              f"{PROCESSES}, moves/s", "ratio"),
    )  # fmt: skip


_ABOUT = f"""\
`{EVENT}`; one process alone and {PROCESSES} at once, in turn, as many moves in all. By hand shows what the machine and
the database allow; on SQLite it waits as the library does, without a lock file of its own."""


if __name__ == "__main__":
    main()
