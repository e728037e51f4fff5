"""More histories forged with the right key: guards that let a claim, an offer, a proof or an import pass.

As in `forgeries`: each story returns the code that the verifier must name, and what forges the log.
"""

import copy
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from tests.support.forgeries import approved_after_chargeback, put, seq_of, without
from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SHOP, SUN, Market, a_file
from tests.support.packages import Log, canonical

Json = Any
Story = tuple[str, Callable[[Log], Log]]


def change(refund: str, event: str, *ways: tuple[str, Json], drop: tuple[str, ...] = ()) -> Callable[[Log], Log]:
    """Return what sets values of the first entry of an event, and drops parts of its patch."""

    def edit(body: dict[str, Json]) -> None:
        for path, value in ways:
            put(path, value)(body)
        for name in drop:
            body["patch"].pop(name, None)

    return lambda log: log.change(refund, seq_of(log, refund, event), edit)


def paid_after_write_off(market: Market) -> Story:
    """An approval on money that had been paid before, and was written off."""
    first = market.to("approved.payout_failed")
    paid = market.get(first)
    market.act(first, "revoke_approval", CHEN, message="The account is in use.")
    market.act(first, "withdraw", BUYER)
    second = market.submit(paid.order_id).id
    market.act(second, "begin_review", LI)
    market.act(second, "approve", LI)
    proof = {"number": paid.attempts[0].number, "amount": AMOUNT, "currency": "CNY", "proof": "the bank's book"}
    for who in (QIAN, SUN):
        market.act(first, "payout_settled", who, **proof)
    for who in (QIAN, SUN):
        market.refunds.excess_resolved(
            paid.order_id, amount=AMOUNT, how="written_off", proof="minutes", actor=who, at=market.now
        )

    def forge(log: Log) -> Log:
        log.rows.sort(key=lambda row: (row["subject"], row["event"]) == (second, "approve"))
        return log

    return "NOT_COVERED", forge


def written_off_for_ever(market: Market) -> Story:
    """A payment that was written off and came back, kept as a loss behind which the next one could hide."""
    refund = market.get(market.to("paid_out.settled"))
    market.refunds.record_captured(refund.order_id, amount=0, actor=SHOP, at=market.now)
    for who in (QIAN, SUN):
        market.refunds.excess_resolved(
            refund.order_id, amount=AMOUNT, how="written_off", proof="minutes", actor=who, at=market.now
        )
    proof = {"number": refund.attempts[0].number, "amount": AMOUNT, "currency": "CNY", "proof": "the bank's book"}
    market.act(refund.id, "payout_reversed", QIAN, **proof)
    market.refunds.record_captured(refund.order_id, amount=AMOUNT, actor=SHOP, at=market.now)
    return "MISSING", lambda log: without(log, f"{refund.order_id}/1", "resolved_came_back")


def settled_by_offer(market: Market) -> Story:
    """A second claim for the reason for which an offer was accepted."""
    order = market.order()
    first = market.submit(order, amount=2_000).id
    market.act(first, "begin_review", LI)
    market.act(first, "offer", LI, amount=1_000)
    market.act(first, "accept_offer", BUYER)
    market.refunds.work(at=market.now)
    second = market.submit(order, amount=1_000, reason="CREDITED_WRONG_ACCOUNT").id
    return "CLAIM", change(second, "submit", ("params/reason", "CODE_INVALID"), ("patch/reason", "CODE_INVALID"))


def sixth_claim(market: Market) -> Story:
    """A claim more than a line may have."""
    order = market.order()
    claims = list[str]()
    for _ in range(5):
        claims.append(market.submit(order, amount=1_000).id)
        market.act(claims[-1], "withdraw", BUYER)

    def forge(log: Log) -> Log:
        more = [copy.deepcopy(row) for row in log.rows if row["subject"] == claims[-1]]
        for row in more:
            row["body"] = row["body"].replace(claims[-1], f"{order}-1-6")
        log.rows += more
        return log

    return "CLAIM", forge


def late_reversal(market: Market) -> str:
    """Return a refund that came back after its end."""
    refund = market.to("paid_out.confirmed")
    number = market.get(refund).attempts[0].number
    told: dict[str, Any] = {"number": number, "amount": 30_000, "currency": "CNY", "proof": "bill 7"}
    market.act(refund, "late_reversal", QIAN, **told)
    return refund


def returned_twice_as_much(market: Market) -> Story:
    """A payment that came back, claimed under the name of a refund that never did."""
    refund = late_reversal(market)
    order = market.get(refund).order_id
    again = market.submit(order, reason="PAYOUT_RETURNED", returned=refund, actor=SHOP).id
    return "CLAIM", change(again, "submit", ("params/returned", again), ("patch/returned", again))


def claim_without_text(market: Market) -> Story:
    """A claim for another reason that does not say which."""
    refund = market.submit(reason="OTHER", note="It is not what I ordered.").id
    return "REASON", change(refund, "submit", ("texts", {}))


def claim_without_its_flag(market: Market) -> Story:
    """A claim for goods of unknown usage without the flag that keeps the system from approving it."""
    order = market.order(product_type="virtual_hosting", usage="unknown")
    refund = market.submit(order, reason="NOT_PROVISIONED").id
    return "FLAGS", change(refund, "submit", ("patch/flags", {}))


def flag_taken_away(market: Market) -> Story:
    """A flag of risk that another one removes."""
    order = market.order(usage="unknown")
    refund = market.submit(order).id
    market.act(refund, "flag_risk", LI, flag="ABUSE_SUSPECTED")
    return "FLAGS", change(refund, "flag_risk", ("patch/flags/USAGE_UNKNOWN", None))


def no_kinds_asked(market: Market) -> Story:
    """A request for evidence of no kind, which nobody can answer."""
    refund = market.to("awaiting_evidence")
    return "EVIDENCE", change(refund, "request_evidence", ("params/kinds", []), ("patch/request/kinds", []))


def incomplete_evidence(market: Market) -> Story:
    """An answer that brings less than was asked for, and does not say that this is all."""
    refund = market.to("awaiting_evidence")
    market.act(refund, "provide_evidence", BUYER, evidence=[a_file("chat_log")], all=True)
    return "EVIDENCE", change(refund, "provide_evidence", ("params/all", False))


def evidence_removed(market: Market) -> Story:
    """A file that another entry makes disappear."""
    refund = market.submit(evidence=[a_file()]).id
    market.act(refund, "add_evidence", BUYER, evidence=[a_file("chat_log", b"more")])
    return "DOCUMENT", change(refund, "add_evidence", ("patch/evidence/1", None))


def counter_offer_of_nothing(market: Market) -> Story:
    """A counter-offer that asks for a voucher only."""
    refund = market.to("under_review.negotiating")
    market.act(refund, "counter_offer", BUYER, amount=20_000)
    ways = [("amount", 0), ("compensation", 500)]
    told = [(f"{place}/{name}", value) for name, value in ways for place in ("params", "patch/offers/2")]
    return "AMOUNT", change(refund, "counter_offer", *told)


def offer_on_other_usage(market: Market) -> Story:
    """An offer that the buyer accepts though the goods were used since."""
    refund = market.to("under_review.reviewing")
    order = market.get(refund).order_id
    market.refunds.record_usage(order, usage="activated", actor=SHOP, at=market.now)
    market.act(refund, "offer", LI, amount=10_000)
    market.act(refund, "accept_offer", BUYER)

    def forge(log: Log) -> Log:
        usage = next(row for row in log.rows if row["event"] == "usage_recorded")
        log.rows.remove(usage)
        place = next(n for n, row in enumerate(log.rows) if row["event"] == "accept_offer")
        log.rows.insert(place, usage)
        return change(refund, "offer", ("patch/offers/1/usage", "unused"))(log)

    return "OFFER", forge


def accepted_and_not_said(market: Market) -> Story:
    """An accepted offer that is said to have lapsed, so that the line may claim again."""
    refund = market.to("under_review.negotiating")
    market.act(refund, "accept_offer", BUYER)
    return "OFFER", change(refund, "accept_offer", ("patch/offers/1/ended", "lapsed"))


def upheld_without_ground(market: Market) -> Story:
    """An appeal that is turned down without a word."""
    refund = market.to("rejected.closed")
    ways: tuple[tuple[str, Json], ...] = (("params/grounds", []), ("patch/rejection/grounds", []), ("texts", {}))
    return "REASON", change(refund, "uphold", *ways)


def rerouted_by_hand(market: Market) -> Story:
    """A payout that is sent on to no channel of the policy."""
    refund = market.to("approved.payout_failed")
    told = {"channel": "balance", "message": "The card was closed."}
    market.act(refund, "reroute_payout", QIAN, **told)
    market.act(refund, "reroute_payout", SUN, **told)

    terms = sha256(json.dumps({"channel": "bank_manual"}).encode()).hexdigest()

    def forge(log: Log) -> Log:
        for nth in (1, 2):
            seq = seq_of(log, refund, "reroute_payout", nth)
            log.change(refund, seq, put("params/channel", "bank_manual"))
        log.change(refund, seq - 1, put("patch/firsts/reroute_payout/terms", terms))
        return log.change(refund, seq, put("patch/channel", "bank_manual"))

    return "PAYOUT", forge


def refused_for_a_passing_rule(market: Market) -> Story:
    """An approved payout that finance calls refused for a rule that time lifts."""
    refund = market.to("approved.payable")
    market.act(refund, "payout_refused", QIAN, rule="CHANNEL_REFUSES_PAYMENT", proof="query 1")
    return "PAYOUT", change(refund, "payout_refused", ("params/rule", "CHANNEL_SPACING"))


def void_while_in_flight(market: Market) -> Story:
    """A number that is called void while it is still under way."""
    refund = market.to("approved.paying")
    number = market.get(refund).attempts[0].number
    market.act(refund, "payout_refused", QIAN, number=number, proof="query 1")
    market.act(refund, "void_attempt", QIAN, number=number, proof="query 2")

    def forge(log: Log) -> Log:
        void = next(row for row in log.rows if row["event"] == "void_attempt")
        log.rows.remove(void)
        body = json.loads(void["body"]) | {"from": "approved.paying", "to": "approved.paying"}
        void["body"] = canonical(body)
        log.rows.insert(next(n for n, row in enumerate(log.rows) if row["event"] == "payout_refused"), void)
        return log

    return "PAYOUT", forge


def retried_without_end(market: Market) -> Story:
    """A number that the system itself tries more often than the policy lets it."""
    refund = market.to("approved.paying")
    number = market.get(refund).attempts[0].number
    for _ in range(4):
        market.act(refund, "payout_refused", QIAN, number=number, proof=f"query at {market.now}")
        market.act(refund, "retry_payout", QIAN)
        market.later(minutes=10)
        market.refunds.work(at=market.now)

    def forge(log: Log) -> Log:
        def by_system(body: dict[str, Json]) -> None:
            body["actor"] = {"role": "system", "name": "system"}
            body["patch"].setdefault("attempts", {})[number] = {"retries": nth}

        for nth in range(1, 5):
            log.change(refund, seq_of(log, refund, "retry_payout", nth), by_system)
        return log

    return "PAYOUT", forge


def answer_to_nobody(market: Market) -> Story:
    """An enquiry that nobody raised is answered, and the time to confirm the receipt begins anew."""
    refund = market.to("paid_out.settled")
    market.act(refund, "raise_enquiry", BUYER)
    market.act(refund, "answer_enquiry", LI, answer="CHANNEL_PROCESSING")

    def forge(log: Log) -> Log:
        return change(refund, "answer_enquiry", drop=("enquiry",))(without(log, refund, "raise_enquiry"))

    return "ENQUIRY", forge


def chargeback_forgotten(market: Market) -> Story:
    """A chargeback that the refund does not remember, so that the system may approve it."""
    refund, _ = approved_after_chargeback(market)

    def forge(log: Log) -> Log:
        for event in ("chargeback_opened", "chargeback_closed"):
            change(refund, event, drop=("chargeback_seen",))(log)
        return change(refund, "approve", ("actor", {"role": "system", "name": "system"}), drop=("decided",))(log)

    return "ROLE", forge


def imported_as(body: dict[str, Json]) -> None:
    """Call an entry imported, as if another system had decided it."""
    body |= {"kind": "imported", "event": "imported", "actor": {"role": "service", "name": "shop"}}
    body.pop("cause", None)


def imported_and_paid_here(market: Market) -> Story:
    """A claim called imported up to its approval, so that nobody judges it, and then paid."""
    refund = market.to("approved.paying")

    def forge(log: Log) -> Log:
        for event in ("submit", "begin_review", "approve"):
            log.change(refund, seq_of(log, refund, event), imported_as)
        source = {"case": "7", "by": "shop", "at": "2026-03-02T02:00:00.000000Z", "file": "f", "row": 1, "digest": "d"}
        return log.change(refund, 1, put("patch/imported", source))

    return "IMPORT", forge


def line_imported_over(market: Market) -> Story:
    """More captured than was, told as imported in the middle of the life of a line."""
    order = market.order()
    market.refunds.record_captured(order, amount=90_000, actor=SHOP, at=market.now)
    return "IMPORT", lambda log: log.change(f"{order}/1", 2, imported_as)


def refund_of_no_order(market: Market) -> Story:
    """A refund of an order that nobody registered."""
    refund = market.to("approved.paying")
    order = market.get(refund).order_id
    return "LINE", lambda log: without(log, f"{order}/1", "registered")


def erased_by_nobody(market: Market) -> Story:
    """Chains that say that the buyer was erased, and no register that says who did it."""
    market.to("withdrawn")
    market.refunds.privacy_erase("wang", reason="request 1", actor=CHEN, at=market.now)

    def forge(log: Log) -> Log:
        log.rows = [row for row in log.rows if row["subject"] != "privacy"]
        return log

    return "ERASED", forge


def calendar_of_nobody(market: Market) -> Story:
    """Two calendars said to be the shipped one: the later holidays count, and nobody imported them."""
    market.to("under_review.reviewing")

    def forge(log: Log) -> Log:
        log.calendars = [*log.calendars, log.calendars[0]]
        return log

    return "CALENDAR", forge


STORIES = [
    paid_after_write_off, written_off_for_ever, settled_by_offer, sixth_claim, returned_twice_as_much,
    claim_without_text, claim_without_its_flag, flag_taken_away, no_kinds_asked, incomplete_evidence, evidence_removed,
    counter_offer_of_nothing, offer_on_other_usage, accepted_and_not_said, upheld_without_ground, rerouted_by_hand,
    refused_for_a_passing_rule, void_while_in_flight, retried_without_end, answer_to_nobody, chargeback_forgotten,
    imported_and_paid_here, line_imported_over, refund_of_no_order, erased_by_nobody, calendar_of_nobody,
]  # fmt: skip
