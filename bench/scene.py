"""The scene of the benchmark: a live database full of refunds, and the refunds that each way of moving is given."""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bench import lived
from bench.by_hand import newest, open_hand, record
from bench.recorded import BATCH, LAPSE, Place, Recorded
from refundflow.orders import OrderRow
from refundflow.service import Refunds
from states import times
from tests.support.aged import waiting_for_evidence
from tests.support.postgres import PostgresServer

SHOP, AGENT, CHIEF, BUYER = "service:shop", "agent:li", "supervisor:chen", "buyer:mei"
# Which state each measured move begins in.
EVENTS: Mapping[str, str] = {
    "begin_review": "submitted",
    "request_evidence": "under_review.reviewing",
    "approve": "under_review.reviewing",
    "withdraw": "submitted",
}
REST = 1_000
STATES = ("submitted", "under_review.reviewing")
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum_naptime": "1min"}  # of PostgreSQL
_FAR = times.text(datetime.now(UTC) + timedelta(days=400))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A database that is ready: what its moves write, and the refunds that each arm may move."""

    name: str
    url: str
    synchronous: str
    refunds: int
    recordings: Mapping[str, Recorded]  # by event
    places: Mapping[str, Mapping[str, Sequence[Place]]]  # by arm and event
    rest: Sequence[Place]  # some under review that nobody moves


@contextmanager
def fresh(kind: str, folder: Path | None = None) -> Iterator[str]:
    """Give the URL of a new database of a kind, and remove it afterwards."""
    if kind == "postgresql":
        with postgres_url() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(dir=folder) as room, sqlite_url(Path(room)) as url:
            yield url


@contextmanager
def sqlite_url(folder: Path) -> Iterator[str]:
    """Give the URL of a new SQLite file; refundflow itself makes it durable."""
    yield f"sqlite:///{folder / 'bench.db'}"


@contextmanager
def postgres_url() -> Iterator[str]:
    """Give the URL of a new database on a PostgreSQL server of its own that flushes every commit."""
    with PostgresServer(durable=True, settings=SETTINGS) as server:
        yield server.url("postgres")


class Wanted(NamedTuple):
    """How many refunds each arm is to move."""

    refunds: int  # in the whole database
    moves: int  # of each event
    batches: int = 0  # of lapses
    events: Sequence[str] = tuple(EVENTS)


def build(
    name: str, url: str, wanted: Wanted, arms: Sequence[str], others: Sequence[str] = (), *, finders: int = 1
) -> Scene:
    """Fill a new database and deal its refunds to the arms, all over the database; the first find what is due.

    So many `finders` take from one heap. `others` are arms that lapse nothing.
    """
    models, late = _lives(url)
    lived.copy(url, models, wanted.refunds, prefix="N")
    recordings = _recordings(url)
    places, rest = _dealt(wanted, (*arms, *others))
    for number, arm in enumerate(arms):
        # Of what others lapse only they know that it is due, so that nobody finds it.
        columns = {"next_due_at": _FAR} if number >= finders else {}
        prefix, due = f"D{number}x", wanted.batches * BATCH
        lived.copy(url, [late], due, prefix=prefix, **columns)
        places[arm][LAPSE] = [lived.place(prefix, n) for n in range(due)]
    lived.settle(url)
    return Scene(
        name=name, url=url, synchronous="full", refunds=wanted.refunds, recordings=recordings, places=places, rest=rest
    )


def copy_of(scene: Scene, name: str, synchronous: str) -> Scene:
    """Copy an SQLite scene that nobody has open."""
    path = Path(scene.url.removeprefix("sqlite:///"))
    beside = path.with_name(f"{synchronous}.db")
    shutil.copyfile(path, beside)
    return Scene(**vars(scene) | {"name": name, "url": f"sqlite:///{beside}", "synchronous": synchronous})


def _dealt(wanted: Wanted, arms: Sequence[str]) -> tuple[dict[str, dict[str, list[Place]]], list[Place]]:
    """Deal refunds by lot, for each event those in its state; tell some under review that are left."""
    lot = random.Random(7)
    left = {state: list(range(index, wanted.refunds, len(STATES))) for index, state in enumerate(STATES)}
    for numbers in left.values():
        lot.shuffle(numbers)
    hands: dict[str, dict[str, list[Place]]] = {arm: {} for arm in arms}
    for arm in arms:
        for event in wanted.events:
            state = EVENTS[event]
            taken, left[state] = left[state][: wanted.moves], left[state][wanted.moves :]
            if len(taken) < wanted.moves:
                raise ValueError(f"{wanted.refunds} refunds are too few for so many moves")
            hands[arm][event] = [lived.place("N", number) for number in taken]
    return hands, [lived.place("N", number) for number in left[STATES[-1]][:REST]]


def _lives(url: str) -> tuple[list[lived.Lived], lived.Lived]:
    """Live one refund up to each state of `STATES`, and one whose deadlines are over."""
    waiting_for_evidence(url, 2)
    late = lived.live(url, "W0")
    with Refunds.connect(url) as refunds:
        refunds.staff_add("shop", roles=["service"], actor=CHIEF)
        _submitted(refunds, "L0")
        refunds.begin_review(_submitted(refunds, "L1").refund, actor=AGENT, key="review")
    return [lived.live(url, "L0"), lived.live(url, "L1")], late


def _recordings(url: str) -> dict[str, Recorded]:
    """Make each move once through the facade and read what it wrote."""
    hand = open_hand(url)
    recordings = {}
    with Refunds.connect(url) as refunds:
        for event, state in EVENTS.items():
            place = _submitted(refunds, f"R{event}")
            if state != "submitted":
                refunds.begin_review(place.refund, actor=AGENT)
            before = newest(hand, place)
            move(refunds, event, place)
            recordings[event] = record(hand, place, before)
        place = Place("W1", "W1-1-1")
        before = newest(hand, place)
        refunds.fire(Counter())
        recordings[LAPSE] = record(hand, place, before)
    hand.close()
    return recordings


def _submitted(refunds: Refunds, order_id: str) -> Place:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    row = OrderRow(
        order_id=order_id, buyer_id=BUYER.partition(":")[2], product_type="game_card", product="card of 100",
        usage="unused", amount_minor=10_000, currency="CNY", channel="fake", payment_no=f"pay-{order_id}",
        paid_at=yesterday, completed_at=yesterday,
    )  # fmt: skip
    refunds.register_order(row, actor=SHOP)
    return Place(order_id, refunds.submit(order_id, reason="CODE_INVALID", actor=BUYER, key="submit").id)


def move(refunds: Refunds, event: str, place: Place) -> Any:
    """Make a measured move through the facade, as a caller does who may repeat it (with a key)."""
    match event:
        case "begin_review":
            return refunds.begin_review(place.refund, actor=AGENT, key=event)
        case "request_evidence":
            return refunds.request_evidence(place.refund, actor=AGENT, key=event, kinds=["screenshot"])
        case "approve":
            return refunds.approve(place.refund, actor=AGENT, key=event)
        case "withdraw":
            return refunds.withdraw(place.refund, actor=BUYER, key=event)
        case _:
            raise ValueError(f"{event} is not measured")
