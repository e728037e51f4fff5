"""refundflow itself: one call of the facade per move, or one batch of what is due.

An answer is made when it is looked at: with the style "read" of the plan it is, as far as what is possible next.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.recorded import BATCH, LAPSE, Place
from bench.scene import move
from bench.serving import Move, serve
from refundflow import __version__
from refundflow.service import Refunds


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Connect as a program does that uses refundflow."""
    with Refunds.connect(plan["url"], synchronous=plan["synchronous"]) as refunds:

        def make(event: str, number: int) -> None:
            if event == LAPSE:
                fired = refunds.fire(Counter())
                if fired != BATCH:
                    raise RuntimeError(f"{fired} refunds were due instead of {BATCH}")
                return
            answer = move(refunds, event, Place(*plan["places"][event][number]))
            if plan["style"] == "read":
                answer.allowed  # noqa: B018  it is what looking costs that is measured

        yield make, {"refundflow": __version__}


if __name__ == "__main__":
    serve(opened)
