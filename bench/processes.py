"""Many processes on one database: how long a move takes then, and how many are made in all, against one process."""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.recorded import Place
from bench.report import Section
from bench.rounds import Arm, Running
from bench.scene import Scene, Wanted, build

PROCESSES = 8
EVENT = "request_evidence"
ALONE = "alone"


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


def measure(url: str, *, refunds: int, rounds: int, moves: int) -> Compared:
    """Let one process make as many moves alone as many then make together, in turn, on a new database."""
    share = (rounds + 1) * moves  # of each of the many
    scene = build("", url, Wanted(refunds, 2 * PROCESSES * share, events=(EVENT,)), ("all",))
    dealt = scene.places["all"][EVENT]
    shares = {f"process {number}": dealt[number * share :][:share] for number in range(PROCESSES)}
    shares[ALONE] = dealt[PROCESSES * share :]
    compared = Compared(one=Together(), many=Together())
    with Running({name: _program(scene, places) for name, places in shares.items()}) as running:
        one = [running.arms.pop(ALONE)]
        many = list(running.arms.values())
        for number in range(rounds + 1):
            turns = [(one, moves * PROCESSES, compared.one), (many, moves, compared.many)]
            for arms, count, together in turns if number % 2 else reversed(turns):
                _round(arms, count, together if number else Together())
        running.arms[ALONE] = one[0]
    return compared


def _program(scene: Scene, places: Sequence[Place]) -> tuple[str, str, Mapping[str, object]]:
    plan = {"url": scene.url, "synchronous": scene.synchronous, "style": "", "places": {EVENT: places}}
    return sys.executable, "bench.arms.facade", plan


def _round(arms: Sequence[Arm], count: int, together: Together) -> None:
    begun = time.perf_counter()
    for arm in arms:
        arm.begin(EVENT, count)
    for arm in arms:
        together.taken += arm.taken()["wall"]
    together.rates.append(count * len(arms) / (time.perf_counter() - begun))


def section(measured: Mapping[str, Compared]) -> Section:
    """Write the table of all databases."""
    rows = [
        (
            database, f"{found.one.median:.2f}", f"{found.one.p99:.1f}", f"{found.many.median:.2f}",
            f"{found.many.p99:.1f}", f"{found.many.p99 / found.many.median:.1f}",
            f"{statistics.median(found.one.rates):.0f}", f"{statistics.median(found.many.rates):.0f}",
            f"**{found.rate:.2f}**",
        )
        for database, found in measured.items()
    ]  # fmt: skip
    return Section(
        title=f"{PROCESSES} processes", names=1, rows=rows,
        head=("database", "one, ms", "p99", f"{PROCESSES}, ms", "p99", "p99 / median", "one, moves/s",
              f"{PROCESSES}, moves/s", "ratio"),
        about=f"`{EVENT}`; one process alone and {PROCESSES} at once, in turn, as many moves in all.",
    )  # fmt: skip
