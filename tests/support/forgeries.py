"""Whole histories forged with the right key: what really happened, and how one rule is broken in it.

Each story lives through a market and returns the code that the verifier must name, and what forges the log.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from states import times
from tests.support.market import BUYER, CHEN, LI, QIAN, SHOP, ZHAO, Market
from tests.support.packages import Log

Json = Any
LARGE = 150_000
SUN = "finance:sun"


def seq_of(log: Log, subject: str, event: str, nth: int = 1) -> int:
    """Return the number of the nth entry of an event in a chain."""
    found = [row["seq"] for row in log.rows if row["subject"] == subject and row["event"] == event]
    return int(found[nth - 1])


def without(log: Log, subject: str, event: str) -> Log:
    """Leave out every entry of an event in a chain."""
    log.rows = [row for row in log.rows if (row["subject"], row["event"]) != (subject, event)]
    return log


def moved(body: dict[str, Json], by: timedelta) -> None:
    """Move an entry in time, with every mention of its moment."""
    was = body["effective_at"]
    text = json.dumps(body).replace(was, times.text(times.moment(was) + by))
    body.update(json.loads(text))


def by(name: str, role: str | None = None) -> Callable[[dict[str, Json]], None]:
    """Let another one have done it."""

    def change(body: dict[str, Json]) -> None:
        body["actor"] = {"name": name, "role": role or body["actor"]["role"]}
        body["patch"].pop("decided", None)

    return change


def put(path: str, value: Json) -> Callable[[dict[str, Json]], None]:
    """Set a value deep in the body."""

    def change(body: dict[str, Json]) -> None:
        *way, last = path.split("/")
        for name in way:
            body = body[name]
        body[last] = value

    return change


# one story for each rule: what really happened, and how it is forged


def late_appeal(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An appeal a second after its window, instead of the lapse that was due."""
    refund = market.to("rejected.appealable")
    market.later(days=1)
    market.act(refund, "appeal", BUYER, message="The code was never sent to me.")

    def forge(log: Log) -> Log:
        return log.change(refund, seq_of(log, refund, "appeal"), lambda body: moved(body, timedelta(days=3)))

    return "LATE_ACT", forge


def early_lapse(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A lapse a second before its moment."""
    refund = market.to("rejected.appealable")
    market.later(days=5)
    market.refunds.work(at=market.now)

    def forge(log: Log) -> Log:
        seq = seq_of(log, refund, "appeal_window_closed")
        return log.change(refund, seq, lambda body: moved(body, timedelta(seconds=-1)))

    return "LAPSE", forge


def skipped_lapse(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A review that was overdue, and no entry that says so."""
    refund = market.to("under_review.reviewing")
    market.later(days=7)
    market.act(refund, "note", LI, message="Still looking.")
    return "LATE_ACT", lambda log: without(log, refund, "review_overdue")


def large(market: Market) -> str:
    """Bring a claim above the limit of two persons into review."""
    refund = market.submit(market.order(amount_minor=LARGE), amount=LARGE).id
    market.act(refund, "begin_review", LI)
    return refund


def one_person_twice(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Both approvals by one person."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "approve", ZHAO)
    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "approve", 2), by("li"))


def one_person_alone(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval above the limit by one person."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "approve", ZHAO)

    def forge(log: Log) -> Log:
        first = seq_of(log, refund, "approve")
        log.rows = [row for row in log.rows if (row["subject"], row["seq"]) != (refund, first)]

        def change(body: dict[str, Json]) -> None:
            del body["patch"]["firsts"]
            body["patch"]["decided"] = {"review": ["zhao"]}

        return log.change(refund, first + 1, change)

    return "TWO_PERSONS", forge


def other_terms(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A second person who agreed to another offer than the first."""
    refund = large(market)
    market.act(refund, "offer", LI, amount=120_000)
    market.act(refund, "offer", ZHAO, amount=120_000)

    def change(body: dict[str, Json]) -> None:
        put("params/amount", 130_000)(body)
        put("patch/offers/1/amount", 130_000)(body)

    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "offer", 2), change)


def finance_alone(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A payment told by finance, and both are one person."""
    refund = market.to("approved.paying")
    attempt = market.get(refund).attempts[0]
    told: dict[str, Any] = {
        "number": attempt.number,
        "amount": attempt.amount_minor,
        "currency": "CNY",
        "proof": "slip-1",
    }
    market.act(refund, "payout_settled", QIAN, **told)
    market.act(refund, "payout_settled", SUN, **told)
    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "payout_settled", 2), by("qian"))


def reviewer_decides_appeal(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The reviewer upholds his own rejection."""
    refund = market.to("rejected.closed")

    def change(body: dict[str, Json]) -> None:
        by("li")(body)
        body["patch"]["decided"] = {"appeal": ["li"]}

    return "REVIEWER_DECIDES", lambda log: log.change(refund, seq_of(log, refund, "uphold"), change)


def claimant_decides(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Who claimed for the buyer approves."""
    refund = market.submit(actor=SHOP).id
    market.act(refund, "begin_review", LI)
    market.act(refund, "approve", LI)

    def change(body: dict[str, Json]) -> None:
        by("shop")(body)
        body["patch"]["decided"] = {"review": ["shop"]}

    return "CLAIMANT_DECIDES", lambda log: log.change(refund, seq_of(log, refund, "approve"), change)


def wrong_role(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Finance confirms the receipt for the buyer."""
    refund = market.to("paid_out.confirmed")
    return "ROLE", lambda log: log.change(refund, seq_of(log, refund, "confirm_receipt"), by("qian", "finance"))


def system_approves_large(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The system approves what is no small claim."""
    refund = market.to("approved.payable")
    return "ROLE", lambda log: log.change(refund, seq_of(log, refund, "approve"), by("system", "system"))


def amount_above_claim(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """More is approved than was claimed."""
    refund = market.to("approved.payable", amount=10_000)

    def change(body: dict[str, Json]) -> None:
        body["patch"]["approved"] += 1
        body["patch"]["approval"]["amount"] += 1

    return "AMOUNT", lambda log: log.change(refund, seq_of(log, refund, "approve"), change)


def more_than_captured(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """More is claimed than the line has."""
    refund = market.to("under_review.reviewing", amount=10_000)

    def change(body: dict[str, Json]) -> None:
        body["params"]["amount"] = body["patch"]["claimed"] = body["patch"]["reserved"] = 90_000_000
        body["ledger"] = {"reserved": 90_000_000}

    return "NOT_COVERED", lambda log: log.change(refund, 1, change)


def ledger_off(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An entry that moves another amount in the ledger than in its refund."""
    refund = market.to("approved.paying")
    seq = "dispatch_payout"
    return "LEDGER", lambda log: log.change(refund, seq_of(log, refund, seq), put("ledger/in_flight", 1))


def paid_twice(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """One number is told as paid twice."""
    refund = market.to("paid_out.settled")
    attempt = market.get(refund).attempts[0]
    told: dict[str, Any] = {
        "number": attempt.number,
        "amount": attempt.amount_minor,
        "currency": "CNY",
        "proof": "slip-2",
    }
    market.act(refund, "note", LI, message="Paid once.")

    def forge(log: Log) -> Log:
        def change(body: dict[str, Json]) -> None:
            body |= {"event": "payout_settled", "params": told | {"as": "stray"}, "texts": {}}
            body["actor"] = {"role": "channel", "name": "fake"}

        return log.change(refund, seq_of(log, refund, "note"), change)

    return "PAYOUT", forge


def illegal_move(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval of what nobody took into review."""
    refund = market.to("approved.payable")

    def forge(log: Log) -> Log:
        log = without(log, refund, "begin_review")
        return log.change(refund, seq_of(log, refund, "approve"), put("from", "submitted"))

    return "ILLEGAL_MOVE", forge


def fact_changes_state(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A note that moves the refund."""
    refund = market.to("under_review.reviewing")
    market.act(refund, "note", LI, message="Nothing to see.")

    def change(body: dict[str, Json]) -> None:
        body["patch"] = {"state": "approved.payable"}
        body["to"] = "approved.payable"

    return "ILLEGAL_MOVE", lambda log: log.change(refund, seq_of(log, refund, "note"), change)


def refusal_changes(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A refusal that changes something."""
    refund = market.to("submitted")
    with pytest.raises(Exception, match="WRONG_STATE"):
        market.act(refund, "approve", LI)
    return "REFUSED", lambda log: log.change(refund, seq_of(log, refund, "approve"), put("patch", {"approved": 5}))


def wrong_length(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Evidence is asked for with an hour less than the policy gives."""
    refund = market.to("awaiting_evidence")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["evidence"]
        item["due_at"] = times.text(times.moment(item["due_at"]) - timedelta(hours=1))

    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "request_evidence"), change)


def wrong_working_day(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A review whose last day is taken for one that is not worked."""
    refund = market.to("submitted")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["review"]
        item["due_at"] = times.text(times.moment(item["due_at"]) + timedelta(days=1))

    return "DEADLINE", lambda log: log.change(refund, 1, change)


def clock_not_stopped(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Working days that went on while the buyer was asked."""
    refund = market.to("awaiting_evidence")
    change = put("patch/left", {"review": 0})
    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "request_evidence"), change)


def too_long_extension(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A deadline extended by more days than the policy allows."""
    refund = market.to("awaiting_evidence")
    market.act(refund, "extend", CHEN, days=7, message="The buyer is ill.")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["evidence"]
        item["due_at"] = times.text(times.moment(item["due_at"]) + timedelta(days=1))
        item["rule"] = item["rule"].replace("7 days", "8 days")
        body["params"]["days"] = 8

    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "extend"), change)


def back_dated(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A note that says that it was written a week before."""
    refund = market.to("under_review.reviewing")
    market.later(hours=3)
    market.submit()
    market.act(refund, "note", LI, message="As promised.")

    def change(body: dict[str, Json]) -> None:
        moved(body, timedelta(hours=-2))

    return "BACK_DATED", lambda log: log.change(refund, seq_of(log, refund, "note"), change)


def effective_before_recorded(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An act in time, recorded when it was too late."""
    refund = market.to("rejected.appealable")
    market.later(days=1)
    market.act(refund, "appeal", BUYER, message="The code was never sent to me.")
    market.later(days=9)

    def change(body: dict[str, Json]) -> None:
        body["recorded_at"] = times.text(market.now)

    return "BACK_DATED", lambda log: log.change(refund, seq_of(log, refund, "appeal"), change)


def rejection_left_out(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A claim after its window that was not rejected at once."""
    order = market.order()
    market.later(days=20)
    refund = market.submit(order).id
    return "MISSING", lambda log: without(log, refund, "auto_reject")


def first_kept(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A first approval that outlives the state in which it was given."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "request_evidence", LI, kinds=["screenshot"], message="Please show it.")
    return "MISSING", lambda log: without(log, refund, "first_fell")


def second_claim(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A claim beside one that is in progress."""
    order = market.order()
    refund = market.submit(order, amount=1_000).id
    market.act(refund, "withdraw", BUYER)
    market.submit(order, amount=1_000)
    return "IN_PROGRESS", lambda log: without(log, refund, "withdraw")


def approved_after_chargeback(market: Market) -> tuple[str, str]:
    """Approve a refund on whose order a chargeback was opened and won; return refund and order."""
    refund = market.to("under_review.reviewing", amount=1_000)
    order = market.get(refund).order_id
    told: dict[str, Any] = {"chargeback": "c1", "amount": 1_000, "at": market.now}
    market.refunds.chargeback_opened(order, actor=QIAN, **told)
    market.refunds.chargeback_closed(order, actor=QIAN, outcome="won", **told)
    market.act(refund, "approve", LI)
    return refund, order


def approved_under_chargeback(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval while the buyer's bank takes the money back."""
    refund, order = approved_after_chargeback(market)

    def forge(log: Log) -> Log:
        return without(without(log, refund, "chargeback_closed"), f"{order}/1", "chargeback_closed")

    return "CHARGEBACK", forge


def used_goods(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The whole is approved for goods that were used meanwhile."""
    refund = market.to("under_review.reviewing", reason="WRONG_PRODUCT")
    order = market.get(refund).order_id
    market.refunds.record_usage(order, usage="unknown", actor=SHOP, at=market.now)
    market.act(refund, "approve", LI)

    def change(body: dict[str, Json]) -> None:
        body["params"]["usage"] = body["patch"]["usage"] = "used"

    return "NOT_ELIGIBLE", lambda log: log.change(f"{order}/1", seq_of(log, f"{order}/1", "usage_recorded"), change)


def own_offer(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An agent accepts what he offered himself."""
    refund = market.to("under_review.negotiating")
    market.act(refund, "accept_offer", BUYER)

    def change(body: dict[str, Json]) -> None:
        body["actor"] = {"role": "agent", "name": "li"}

    return "OFFER", lambda log: log.change(refund, seq_of(log, refund, "accept_offer"), change)


def evidence_of_another(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A refund that is said to be of another buyer."""
    refund = market.to("submitted")
    return "DOCUMENT", lambda log: log.change(refund, 1, put("patch/buyer", "somebody-else"))


STORIES = [
    late_appeal, early_lapse, skipped_lapse, one_person_twice, one_person_alone, other_terms, finance_alone,
    reviewer_decides_appeal, claimant_decides, wrong_role, system_approves_large, amount_above_claim,
    more_than_captured, ledger_off, paid_twice, illegal_move, fact_changes_state, refusal_changes, wrong_length,
    wrong_working_day, clock_not_stopped, too_long_extension, back_dated, effective_before_recorded,
    rejection_left_out, first_kept, second_claim, approved_under_chargeback, used_goods, own_offer,
    evidence_of_another,
]  # fmt: skip
