"""What an act answers with is made when it is looked at, and is a value like any other."""

import copy
import dataclasses
import pickle
import threading
import weakref
from collections.abc import Callable

import pytest

from refundflow import values
from tests.support.market import CHEN, LI, Market


@pytest.mark.parametrize(
    "taken",
    [copy.copy, copy.deepcopy, dataclasses.replace, lambda answer: pickle.loads(pickle.dumps(answer))],
)
def test_an_answer_that_nobody_has_looked_at_can_be_copied(
    live: Market, taken: Callable[[values.Refund], values.Refund]
) -> None:
    """A copy is a value of its own, equal to the answer, whatever comes later."""
    answer = live.submit()
    seen = live.get(answer.id)
    copied = taken(live.get(answer.id))
    live.act(answer.id, "begin_review", LI)
    live.close()

    assert copied == seen and copied.state == "submitted"
    assert dataclasses.asdict(copied) == dataclasses.asdict(seen) and repr(copied) == repr(seen)
    assert not hasattr(copied, "nothing")
    with pytest.raises(dataclasses.FrozenInstanceError):
        copied.state = "withdrawn"  # type: ignore[misc]


def test_many_who_look_first_see_one_value(live: Market) -> None:
    """Threads that share an answer find it whole, whoever was first."""
    answer, seen, start = live.submit(), [], threading.Barrier(8)

    def look() -> None:
        start.wait()
        seen.append(repr(answer))

    lookers = [threading.Thread(target=look) for _ in range(8)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert len(seen) == 8 and len(set(seen)) == 1


def test_an_answer_that_was_looked_at_keeps_only_itself(live: Market) -> None:
    """The line, its other refunds and the buyer's key, of which it was made, go when it has been seen."""

    class Maker:
        def __call__(self) -> values.Refund:
            return seen

    seen, maker = live.submit(), Maker()
    answer, kept = values.Refund.later(maker), weakref.ref(maker)
    del maker
    assert kept() is not None
    assert answer.id == seen.id and kept() is None


def test_an_answer_tells_what_the_act_left_though_the_buyer_is_erased(live: Market) -> None:
    """Whoever was told something has been told it; who asks after the erasure learns no name."""
    answer = live.act(live.submit().id, "withdraw", "buyer:wang")
    live.refunds.privacy_erase("wang", reason="request 7", actor=CHEN)
    assert answer.buyer_id == "wang" and live.get(answer.id).buyer_id is None
