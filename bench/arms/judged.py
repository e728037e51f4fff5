"""The floor that judges: see `bench.judged_by_hand`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.by_hand import require
from bench.judged_by_hand import open_judged
from bench.judging import request_of
from bench.recorded import BATCH, LAPSE, Place
from bench.serving import Move, serve


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Connect, and know what is asked for."""
    hand = open_judged(plan["url"], plan["synchronous"])
    requests = {
        event: [request_of(event, Place(*place)) for place in dealt]
        for event, dealt in plan["places"].items()
        if event != LAPSE
    }

    def make(event: str, number: int) -> None:
        if event == LAPSE:
            require(hand.lapse(), BATCH)
        else:
            hand.move(requests[event][number])

    yield make, {}
    hand.close()


if __name__ == "__main__":
    serve(opened)
