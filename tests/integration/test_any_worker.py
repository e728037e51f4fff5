"""The history does not depend on the worker: none, late ones, many, dying ones leave the same entries."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from refundflow.errors import Refused
from refundflow.service import Refunds
from refundflow.store import Store
from tests.support.databases import Databases
from tests.support.market import BUYER, LI, Market, prepare_rehearsal

HOSTS = 3
ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "begin_review": (LI, {}),
    "request_evidence": (LI, {"kinds": ["screenshot"]}),
    "offer": (LI, {"amount": 1_000}),
    "accept_offer": (BUYER, {}),
    "decline_offer": (BUYER, {}),
    "reject": (LI, {"grounds": ["EVIDENCE_INCONSISTENT"], "message": "because of the evidence"}),
    "appeal": (BUYER, {"message": "The code was never sent to me."}),
    "withdraw": (BUYER, {}),
    "note": (LI, {"message": "called"}),
}
HOURS = st.sampled_from([0, 1, 23, 24, 47, 48, 49, 72, 100, 240])
STORY = st.lists(st.tuples(HOURS, st.integers(0, 1), st.sampled_from(sorted(ACTS))), min_size=3, max_size=8)
# How a worker of one of the hosts goes by in between: at which part of the pause, and after how many steps it dies.
ROUNDS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, HOSTS - 1), st.sampled_from([None, 0, 1, 2])), max_size=4)


class Dead(BaseException):
    """The process of the worker died."""


def dying(after: int | None) -> Callable[[], bool]:
    """Return what a worker asks before each step: it goes on, or dies after so many."""
    steps = iter(range(after + 1)) if after is not None else None

    def asked() -> bool:
        if steps is not None and next(steps, None) is None:
            raise Dead
        return False

    return asked


def lived(market: Market, story: list[Any], pauses: Iterator[list[Any]], hosts: list[Refunds]) -> None:
    """Live a story; in each pause workers of the hosts go by, in order of time."""
    refunds = [market.submit().id for _ in range(2)]
    for hours, which, event in [*story, (400, 0, "note")]:
        begin = market.now
        for part, host, death in sorted(next(pauses, []), key=lambda item: item[0]):
            market.now = begin + timedelta(hours=hours * part)
            try:
                hosts[host].work(at=market.at, stop=dying(death))
            except Dead:
                hosts[host].close()
        market.now = begin + timedelta(hours=hours)
        actor, terms = ACTS[event]
        with suppress(Refused):
            market.act(refunds[which], event, actor, **terms)
    for refund in refunds:  # whoever touches it does what is due
        market.act(refund, "note", LI, message="the end")


def history(url: str) -> list[tuple[Any, ...]]:
    """Return every entry without what only tells when it was written."""
    with Store.open(url) as store, store.read() as tx:
        return [
            (entry.subject, entry.seq, entry.kind, entry.event, entry.effective_at, entry.parsed()["patch"])
            for entry in tx.scan_entries()
        ]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=STORY, pauses=st.lists(ROUNDS, max_size=9))
@example(story=[(0, 0, "begin_review"), (0, 0, "offer"), (0, 0, "accept_offer")], pauses=[[], [], [], [(0.0, 0, None)]])
def test_the_history_does_not_depend_on_the_worker(
    databases: Databases, story: list[Any], pauses: list[list[Any]]
) -> None:
    """One world has no worker, in the other workers of three hosts go by at any time and die: entries are equal.

    The workers have no channel: a payout is no lapse, it needs one of them.
    """
    calm, busy = (Market(databases.copy_of("rehearsal", prepare_rehearsal)) for _ in range(2))
    hosts = [Refunds.connect(busy.url) for _ in range(HOSTS)]
    lived(calm, story, iter([]), [])
    lived(busy, story, iter(pauses), hosts)
    busy.require_sound()

    assert history(busy.url) == history(calm.url)
    for host in hosts:
        host.close()
    calm.close()
    busy.close()
