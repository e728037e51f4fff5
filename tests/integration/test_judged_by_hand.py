"""The floor that judges asks what the facade asks: each answer that is no refuses, on both databases."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bench.judged_by_hand import JudgedPostgresHand, JudgedSqliteHand, open_judged
from bench.judging import Change, Found, Refused, Request, judge, moment, request_of
from bench.judging_due import Due, lapse
from bench.lived import place
from bench.moves import verify
from bench.recorded import BATCH, Place
from bench.scene import CHIEF, EVENTS, SHOP, Scene, Wanted, build, move
from refundflow.service import Refunds

JUDGED, FACADE = "by hand, judged", "facade"
Hand = JudgedSqliteHand | JudgedPostgresHand
pytestmark = pytest.mark.slow


@pytest.fixture
def scene(database_url: str) -> Scene:
    """Give a live database with refunds for both ways."""
    return build("a test", database_url, Wanted(40, 3), (), [JUDGED, FACADE])


@pytest.fixture
def hand(scene: Scene) -> Iterator[Hand]:
    """Give a connection that judges."""
    with closing(open_judged(scene.url)) as hand:
        yield hand


def _place(scene: Scene, event: str, number: int = 0, way: str = JUDGED) -> Place:
    return Place(*scene.places[way][event][number])


def test_it_writes_what_the_facade_writes_and_each_knows_the_other_s_repeats(scene: Scene, hand: Hand) -> None:
    """Rows are alike but for ids and moments, a repeat writes nothing, and the database verifies."""
    with Refunds.connect(scene.url) as refunds:
        for event in EVENTS:
            ours, by_hand = _place(scene, event, way=FACADE), _place(scene, event)

            move(refunds, event, ours)
            hand.move(request_of(event, by_hand))

            assert _written(hand, by_hand) == _written(hand, ours), event
            before = _written(hand, by_hand), _written(hand, ours)
            move(refunds, event, by_hand)
            hand.move(request_of(event, ours))
            assert (_written(hand, by_hand), _written(hand, ours)) == before, event
    verify(scene)


def _written(hand: Hand, place: Place) -> list[Any]:
    """Read all that one order has, without what differs from order to order and from moment to moment."""
    found = []
    for table, order in (("order_lines", "line"), ("refunds", "id"), ("transitions", "seq"), ("effects", "id")):
        asked = f"SELECT * FROM {table} WHERE order_id = '{place.order_id}' ORDER BY {order}"
        cursor: Any = hand.connection.execute(asked)
        names = [column[0] for column in cursor.description]
        found += [{name: _alike(name, value, place) for name, value in zip(names, row, strict=True)} for row in cursor]
    return found


def _alike(name: str, value: Any, place: Place) -> Any:
    if name in ("document", "body", "params") and isinstance(value, str | bytes):
        value = orjson.loads(value)
    if isinstance(value, dict):
        return {key: _alike(key, item, place) for key, item in value.items()}
    if isinstance(value, str):
        value = value.replace(place.order_id, "ORDER")
    changing = name in ("hash", "head", "prev", "request", "request_hash", "gid", "id", "at") or name.endswith("_at")
    return type(value) if changing and not isinstance(value, list) else value


def test_who_may_not_do_it_is_refused(scene: Scene, hand: Hand) -> None:
    """A wrong role, nobody who is registered, somebody who is no more, another buyer: nothing is written."""
    with Refunds.connect(scene.url) as refunds:
        refunds.staff_add("gone", roles=["agent"], actor=CHIEF)
        refunds.staff_disable("gone", actor=CHIEF)
    for event in EVENTS:
        asked = request_of(event, _place(scene, event))
        before = _written(hand, asked.place)
        role, name = ("buyer", "mei") if asked.role == "agent" else ("agent", "li")

        assert _refused(hand, asked._replace(role=role, name=name)) == "ROLE_NOT_ALLOWED"
        assert _refused(hand, asked._replace(role="agent", name="nobody")) == "NOT_REGISTERED"
        assert _refused(hand, asked._replace(role="agent", name="gone")) == "NOT_REGISTERED"
        assert _refused(hand, asked._replace(role="supervisor", name="li")) == "NOT_REGISTERED"
        assert _refused(hand, asked._replace(role="buyer", name="other")) == "NOT_FOUND"
        assert _refused(hand, asked._replace(place=Place(asked.place.order_id, "N-1-1"))) == "NOT_FOUND"
        assert _refused(hand, asked._replace(key="")) == "BAD_INPUT"
        assert _written(hand, asked.place) == before


def test_a_used_key_a_wrong_state_and_what_is_due_are_refused(scene: Scene, hand: Hand) -> None:
    """The key of another request, a refund that has moved on, a deadline that is over, a newer calendar."""
    for event in EVENTS:
        asked = request_of(event, _place(scene, event))
        found = hand.read(asked)
        hand.move(asked)
        before = _written(hand, asked.place)
        other = "begin_review" if event == "withdraw" else "withdraw"

        assert _refused(hand, request_of(other, asked.place)._replace(key=event)) == "KEY_REUSED"
        assert _refused(hand, asked._replace(key="another")) == "WRONG_STATE"
        assert _judged(hand, asked, found._replace(is_due=True)) == "DUE"
        assert _judged(hand, asked, found._replace(newer=2)) == "DUE"
        assert _judged(hand, asked, _with(found, effective_at="2999-01-01T00:00:00.000000Z")) == "CLOCK_BEHIND"
        assert _judged(hand, asked, _with(found, policy="of another shop")) == "UNKNOWN_POLICY"
        assert _judged(hand, asked, found._replace(key=bytes(32))) == "ERASED"
        assert _written(hand, asked.place) == before


def test_a_deadline_that_is_over_is_found(scene: Scene, hand: Hand) -> None:
    """What is due on the line is read with the line."""
    asked = request_of("begin_review", _place(scene, "begin_review"))
    past = "UPDATE refunds SET next_due_at = '2026-01-01T00:00:00.000000Z' WHERE id = '{}'"
    hand.connection.execute(past.format(asked.place.refund))

    assert _refused(hand, asked) == "DUE"


def test_what_has_changed_since_it_was_read_is_not_written(scene: Scene, hand: Hand) -> None:
    """A move that another has overtaken writes nothing, and the database verifies."""
    for event in EVENTS:
        asked = request_of(event, _place(scene, event))
        change = judge(asked, hand.read(asked), hand.rules)
        assert change is not None
        with Refunds.connect(scene.url) as refunds:
            refunds.flag_risk(asked.place.refund, flag="velocity", actor=CHIEF)
        before = _written(hand, asked.place)

        with pytest.raises(Refused, match="CHANGED"):
            _write(hand, event, change)

        assert _written(hand, asked.place) == before
    verify(scene)


def test_a_line_that_has_changed_since_it_was_read_is_not_built_upon(scene: Scene, hand: Hand) -> None:
    """A fact of the line stops what was judged without it: on SQLite where money moves, the lock keeps out the rest."""
    for event in EVENTS if isinstance(hand, JudgedPostgresHand) else ("withdraw",):
        asked = request_of(event, _place(scene, event))
        change = judge(asked, hand.read(asked), hand.rules)
        assert change is not None
        with Refunds.connect(scene.url) as refunds:
            refunds.record_usage(asked.place.order_id, usage="activated", actor=SHOP)
        before = _written(hand, asked.place)

        with pytest.raises(Refused, match="CHANGED"):
            _write(hand, event, change)

        assert _written(hand, asked.place) == before
    verify(scene)


def _write(hand: Hand, event: str, change: Change) -> None:
    """Write what was judged, in one transaction."""
    if isinstance(hand, JudgedPostgresHand):
        return hand.change(event, change)
    with hand.connection:
        hand.begin()
        hand.change(event, change)
    return None


def test_what_an_approval_needs_is_asked(scene: Scene, hand: Hand) -> None:
    """The claimant, a service for him, usage, a chargeback, the ledger, and the limit of one person stop it."""
    asked = request_of("approve", _place(scene, "approve"))
    with Refunds.connect(scene.url) as refunds:
        refunds.staff_add("mei", roles=["agent"], actor=CHIEF)
    assert _refused(hand, asked._replace(name="mei")) == "CLAIMANT_DECIDES"
    found = hand.read(asked)
    charged = {"c1": {"amount": 1, "state": "open", "seq": 2}}

    assert _judged(hand, asked, _with(found, parties=["li"])) == "CLAIMANT_DECIDES"
    regretted = _with(found, reason="NO_LONGER_NEEDED")
    assert _judged(hand, asked, _with(regretted, "line", usage="used")) == "NOT_ELIGIBLE"
    assert _judged(hand, asked, _with(found, "line", chargebacks=charged)) == "CHARGEBACK_OPEN"
    assert _judged(hand, asked, found._replace(charged_back=1)) == "NOT_COVERED_BY_LINE"
    assert _judged(hand, asked, found._replace(excess=1)) == "NOT_COVERED_BY_LINE"
    assert _judged(hand, asked, _with(found, reserved=1_000_000)) == "SECOND_PERSON_NEEDED"
    assert _judged(hand, asked, _with(found, firsts={"approve": {}})) == "WRONG_STATE"


def test_what_the_other_moves_need_is_asked(scene: Scene, hand: Hand) -> None:
    """Kinds of evidence that are known and a round that is left; a ledger in which nothing else moves."""
    asked = request_of("request_evidence", _place(scene, "request_evidence"))
    found = hand.read(asked)
    assert _judged(hand, asked._replace(kinds=[]), found) == "UNKNOWN_KIND"
    assert _judged(hand, asked._replace(kinds=["poem"]), found) == "UNKNOWN_KIND"
    assert _judged(hand, asked, _with(found, rounds={"evidence.review": 2})) == "EVIDENCE_ROUNDS_USED"

    asked = request_of("withdraw", _place(scene, "withdraw"))
    assert _judged(hand, asked, hand.read(asked)._replace(excess=1)) == "LEDGER_TO_BALANCE"


def _refused(hand: Hand, asked: Request) -> str:
    with pytest.raises(Refused) as refusal:
        hand.move(asked)
    return str(refusal.value)


def _judged(hand: Hand, asked: Request, found: Found) -> str:
    with pytest.raises(Refused) as refusal:
        judge(asked, found, hand.rules)
    return str(refusal.value)


def _with(found: Found, which: str = "document", **values: Any) -> Found:
    """Return what was found with other values in a document."""
    changed: dict[str, Any] = {which: orjson.dumps(orjson.loads(getattr(found, which)) | values).decode()}
    return found._replace(**changed)


@pytest.fixture
def late(database_url: str) -> Iterator[Hand]:
    """Give a connection to refunds on which something is due, as many for each way as go in one commit."""
    scene = build("a test", database_url, Wanted(40, 0, 1), (FACADE, JUDGED), finders=2)
    with Refunds.connect(scene.url) as refunds:
        assert refunds.fire(Counter()) == BATCH
    with closing(open_judged(scene.url)) as hand:
        yield hand
    verify(scene)


def test_many_lapses_are_written_as_the_facade_writes_them(late: Hand) -> None:
    """Rows are alike but for ids and moments, then nothing is due any more, and the database verifies."""
    assert (late.lapse(), late.lapse()) == (BATCH, 0)

    written = [_written(late, place("D1x", number)) for number in range(BATCH)]
    assert written == [_written(late, place("D0x", number)) for number in range(BATCH)]


def test_one_lapse_is_written_as_the_facade_writes_it(late: Hand) -> None:
    """Where the time of appeal is not over yet the refund waits for it, and is warned of it unless it was."""
    found = _found_due(late)
    at = datetime.fromisoformat(orjson.loads(found.document)["deadlines"]["evidence"]["due_at"])
    once = lapse(found._replace(now=at), late.rules)
    state, due_at, warn_at, *_ = once.refund

    assert (state, len(once.entries), once.line[0], once.effect[4]) == ("rejected.appealable", 1, 0, "REJECTED")
    assert at < datetime.fromisoformat(warn_at) < datetime.fromisoformat(due_at)
    told = lapse(found._replace(now=at, warned_at=warn_at), late.rules)
    assert told.refund[:3] == (state, due_at, None)


def test_what_is_due_otherwise_is_refused(late: Hand) -> None:
    """Evidence came, an appeal, another on the line, an enquiry, a ledger to be balanced, a newer calendar."""
    found = _found_due(late)
    request = orjson.loads(found.document)["request"]
    came = {"1": {"role": "buyer", "seq": request["seq"] + 1}}

    for other, code in (
        (_with_due(found, evidence=came), "NOT_MEASURED"), (_with_due(found, instance="appeal"), "NOT_MEASURED"),
        (_with_due(found, enquiry={}), "NOT_MEASURED"), (_with_due(found, firsts={"approve": {}}), "NOT_MEASURED"),
        (_with_due(found, deadlines={"offer": {"due_at": "2026", "event": "offer_lapsed"}}), "NOT_MEASURED"),
        (found._replace(is_alone=False), "NOT_MEASURED"), (found._replace(excess=1), "LEDGER_TO_BALANCE"),
        (found._replace(newer=2), "CALENDAR"), (_with_due(found, policy="of another shop"), "UNKNOWN_POLICY"),
        (_with_due(found, effective_at=moment(found.now + timedelta(days=1))), "CLOCK_BEHIND"),
        (found._replace(now=datetime(2026, 1, 1, tzinfo=UTC)), "CLOCK_BEHIND"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=code):
            lapse(other, late.rules)


def _found_due(hand: Hand) -> Due:
    return hand.find()[0]


def _with_due(found: Due, **values: Any) -> Due:
    return found._replace(document=orjson.dumps(orjson.loads(found.document) | values).decode())
