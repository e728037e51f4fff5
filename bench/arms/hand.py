"""The floor: the same rows by the bare driver; `style` of the plan says how (see `bench.by_hand`)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.by_hand import PostgresHandAtOnce, open_hand
from bench.recorded import BATCH, LAPSE, Place, Recorded
from bench.serving import Move, serve


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Connect, and know what each move writes."""
    at_once = plan["style"] == "at once"
    hand = PostgresHandAtOnce(plan["url"]) if at_once else open_hand(plan["url"], plan["synchronous"])
    recordings = {event: Recorded(*recording) for event, recording in plan["recordings"].items()}
    places = {event: [Place(*place) for place in dealt] for event, dealt in plan["places"].items()}

    def make(event: str, number: int) -> None:
        if event == LAPSE:
            hand.many(recordings[event], places[event][number * BATCH : (number + 1) * BATCH])
        else:
            hand.one(recordings[event], places[event][number])

    yield make, {}
    hand.close()


if __name__ == "__main__":
    serve(opened)
