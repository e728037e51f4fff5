"""What an act answers with is made when it is looked at, and is a value like any other."""

import copy
import dataclasses
import gc
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from refundflow import values
from refundflow.store import Store
from refundflow.vault import BuyerRow
from tests.support.market import CHEN, LI, SHOP, Market


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


def test_an_answer_lets_go_of_what_it_is_made_of(live: Market) -> None:
    """What the fields are made of goes when the last of them was looked at."""

    class Maker:
        def field(self, name: str) -> Any:
            return getattr(seen, name)

    seen, maker = live.submit(), Maker()
    answer, made_of = values.Refund.later(maker.field), weakref.ref(maker)
    del maker
    assert answer.id == seen.id and made_of() is not None
    assert answer == seen and made_of() is None


def test_a_line_that_was_looked_at_keeps_no_key(live: Market) -> None:
    """One look at an order line makes all of it, and nothing that can be reached from it opens the buyer's data."""
    refund = live.submit()
    line = live.refunds.record_usage(refund.order_id, usage="partly_used", actor=SHOP)
    assert any(isinstance(item, BuyerRow) for item in _reached(line))
    assert line.usage == "partly_used" and not any(isinstance(item, BuyerRow) for item in _reached(line))


@pytest.mark.parametrize("look", [lambda answer: answer.buyer_id, repr, pickle.dumps, dataclasses.asdict])
def test_an_answer_that_told_who_the_buyer_is_keeps_no_key(live: Market, look: Callable[[values.Refund], Any]) -> None:
    """With his name, or all of it, looked at, nothing that can be reached from an answer opens his other data."""
    refund = live.submit().id
    for answer in (live.get(refund), live.act(refund, "begin_review", LI)):
        assert answer.state and any(isinstance(item, BuyerRow) for item in _reached(answer))
        look(answer)
        assert not any(isinstance(item, BuyerRow) for item in _reached(answer))


def _reached(value: object) -> Iterator[object]:
    """Yield what can be reached from a value, modules and classes and what they hold left out."""
    seen, ahead = set[int](), [value]
    while ahead:
        item = ahead.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType, Store)) or item is sys.modules:
            continue
        seen.add(id(item))
        yield item
        ahead += gc.get_referents(item) if not isinstance(item, FunctionType) else item.__closure__ or ()


def test_an_answer_tells_what_the_act_left_though_the_buyer_is_erased(live: Market) -> None:
    """Whoever was told something has been told it; who asks after the erasure learns no name."""
    answer = live.act(live.submit().id, "withdraw", "buyer:wang")
    live.refunds.privacy_erase("wang", reason="request 7", actor=CHEN)
    assert answer.buyer_id == "wang" and live.get(answer.id).buyer_id is None
