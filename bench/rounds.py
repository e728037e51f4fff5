"""Rounds: the processes of several arms take turns, a few moves each, so that all meet the same weather."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

ROOT = Path(__file__).parent.parent
Clock = Literal["wall", "cpu"]
CLOCKS: tuple[Clock, ...] = ("wall", "cpu")
Name = TypeVar("Name")


class Arm:
    """The process of one arm; `run` has it make moves."""

    def __init__(self, process: "subprocess.Popen[str]", plan: Mapping[str, Any]) -> None:
        self._process = process
        self._send(plan)
        self.versions: Mapping[str, str] = self._answer()["versions"]

    def run(self, event: str, count: int) -> Mapping[Clock, list[float]]:
        """Make moves; return how long each took, in milliseconds."""
        self.begin(event, count)
        return self.taken()

    def begin(self, event: str, count: int) -> None:
        """Begin to make moves; `taken` waits until they are made."""
        self._send({"event": event, "count": count})

    def taken(self) -> Mapping[Clock, list[float]]:
        """Return how long each move took that was begun, in milliseconds."""
        taken: Mapping[Clock, list[float]] = self._answer()
        return taken

    def end(self) -> float:
        """End the process; return the most memory it held, in MiB."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        peak: float = self._answer()["peak"]
        self._process.wait()
        return peak

    def _send(self, asked: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"an arm ended: {self._process.args!r}")
        return json.loads(line)


@contextmanager
def arm(python: str, module: str, plan: Mapping[str, Any]) -> Iterator[Arm]:
    """Start the program of an arm and give it its plan."""
    command = (python, "-m", module)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Arm(process, plan)
        except BaseException:
            process.kill()
            raise


@dataclass(kw_only=True)
class Times:
    """How long each move took, in milliseconds, round by round."""

    wall: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)

    def add(self, taken: Mapping[Clock, list[float]]) -> None:
        """Add a round."""
        self.wall.append(taken["wall"])
        self.cpu.append(taken["cpu"])

    def median(self, clock: Clock = "wall") -> float:
        """Return the median of all moves."""
        return statistics.median(self._all(clock))

    def p90(self, clock: Clock = "wall") -> float:
        """Return what nine of ten moves did not exceed."""
        return statistics.quantiles(self._all(clock), n=10)[-1]

    def ratio(self, to: "Times", clock: Clock = "wall") -> float:
        """Return the median over the rounds of the ratio of both medians in a round."""
        return statistics.median(
            statistics.median(mine) / statistics.median(theirs)
            for mine, theirs in zip(self._rounds(clock), to._rounds(clock), strict=True)
        )

    def _rounds(self, clock: Clock) -> list[list[float]]:
        return self.wall if clock == "wall" else self.cpu

    def _all(self, clock: Clock) -> list[float]:
        return [taken for rounds in self._rounds(clock) for taken in rounds]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What several arms took for one event, by the name of the arm."""

    event: str
    times: Mapping[str, Times]


def measure(arms: Mapping[str, Arm], event: str, *, rounds: int, moves: int) -> Measured:
    """Let arms take turns, another one first in each round; the first round is not counted."""
    times = {name: Times() for name in arms}
    names = list(arms)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken = arms[name].run(event, moves)
            if number:
                times[name].add(taken)
    return Measured(event=event, times=times)


class Running(Generic[Name]):
    """All arms of one scene at once; when it ends, `peaks` tells their memory."""

    def __init__(self, programs: Mapping[Name, tuple[str, str, Mapping[str, Any]]]) -> None:
        self._programs = programs
        self.arms: dict[Name, Arm] = {}
        self.peaks: dict[Name, float] = {}
        self.versions: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name, (python, module, plan) in self._programs.items():
                self.arms[name] = stack.enter_context(arm(python, module, plan))
                self.versions |= self.arms[name].versions
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is None:
            self.peaks = {name: running.end() for name, running in self.arms.items()}
        self._stack.__exit__(kind, *rest)


def turns(ways: Mapping[Name, Callable[[], object]], *, rounds: int, calls: int) -> dict[Name, Times]:
    """Let calls within this process take turns, another one first in each round; the first round is not counted."""
    times = {name: Times() for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken = [_timed(ways[name]) for _ in range(calls)]
            if number:
                times[name].add({"wall": [wall for wall, _ in taken], "cpu": [cpu for _, cpu in taken]})
    return times


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    call()
    return (time.perf_counter_ns() - wall) / 1e6, (time.process_time_ns() - cpu) / 1e6
