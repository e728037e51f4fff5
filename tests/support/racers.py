"""Other processes that call the facade at the same moment as each other, as many hosts do."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from typing import Any, Self

from refundflow.errors import RefundflowError, Refused
from refundflow.gateways.fake import FakeChannel
from refundflow.service import Refunds

RACERS = 4
_PATIENCE = 60  # seconds until a racer gives up waiting for the others
_barriers: dict[int, Barrier] = {}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the facade, to be made in another process."""

    method: str
    args: tuple[Any, ...] = ()
    terms: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a call answered: a value, or the typed error's code and those of its blockers."""

    value: Any = None
    code: str | None = None
    blockers: tuple[str, ...] = ()

    @property
    def won(self) -> bool:
        """Tell that the call was not refused."""
        return self.code is None


def call(method: str, *args: Any, **terms: Any) -> Call:
    """Write down a call."""
    return Call(method=method, args=args, terms=terms)


class Racers:
    """A few processes that live as long as the tests of a module."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        barriers = {size: spawn.Barrier(size) for size in range(1, RACERS + 1)}
        self._pool = ProcessPoolExecutor(RACERS, spawn, _keep, (barriers,))

    def race(self, url: str, *lanes: Sequence[Call], channel: str | None = None) -> list[list[Result]]:
        """Let one process per lane make its calls, the n-th of all lanes at the same moment; rounds of results."""
        running = [self._pool.submit(_run, url, list(lane), len(lanes), channel) for lane in lanes]
        results = [future.result(timeout=2 * _PATIENCE) for future in running]
        return [list(turn) for turn in zip(*results, strict=True)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


def _keep(barriers: dict[int, Barrier]) -> None:
    _barriers.update(barriers)


def _run(url: str, calls: list[Call], size: int, channel: str | None) -> list[Result]:
    gateways = {"fake": FakeChannel(path=channel)} if channel else {}
    with Refunds.connect(url, gateways=gateways) as refunds:
        return [_one(refunds, item, _barriers[size]) for item in calls]


def _one(refunds: Refunds, item: Call, barrier: Barrier) -> Result:
    barrier.wait(_PATIENCE)
    try:
        return Result(value=getattr(refunds, item.method)(*item.args, **item.terms))
    except Refused as error:
        return Result(code=error.code, blockers=tuple(blocker.code for blocker in error.blockers))
    except RefundflowError as error:
        return Result(code=error.code)
