"""The chart ``refund/1``: every state and move of one refund, on one screen."""

from statemachine import State

from states.chart import StrictChart, Table, evidence_came, in_appeal, refund_part, stays


class RefundV1(StrictChart):
    """One refund. `submit` creates it in the initial state; blockers of the rules come on top of the guards."""

    submitted = State(initial=True)

    class under_review(State.Compound):
        reviewing = State(initial=True)
        negotiating = State()

    awaiting_evidence = State()

    class approved(State.Compound):
        payable = State(initial=True)
        paying = State()
        payout_failed = State()

    class rejected(State.Compound):
        appealable = State(initial=True)
        closed = State(final=True)

    appealed = State()

    class paid_out(State.Compound):
        settled = State(initial=True)
        confirmed = State(final=True)

    withdrawn = State(final=True)

    # review
    auto_reject = submitted.to(rejected.appealable)
    begin_review = submitted.to(under_review.reviewing)
    approve = under_review.reviewing.to(approved.payable)
    reject = under_review.reviewing.to(rejected.appealable)
    withdraw = (
        submitted.to(withdrawn) | under_review.reviewing.to(withdrawn) | under_review.negotiating.to(withdrawn)
        | awaiting_evidence.to(withdrawn) | rejected.appealable.to(withdrawn) | appealed.to(withdrawn)
    )  # fmt: skip
    review_overdue = stays(submitted) | stays(under_review.reviewing)

    # evidence
    request_evidence = under_review.reviewing.to(awaiting_evidence) | appealed.to(awaiting_evidence)
    provide_evidence = (
        awaiting_evidence.to(under_review.reviewing, unless=in_appeal)
        | awaiting_evidence.to(appealed, cond=in_appeal)
    )  # fmt: skip
    end_request = (
        awaiting_evidence.to(under_review.reviewing, unless=in_appeal)
        | awaiting_evidence.to(appealed, cond=in_appeal)
    )  # fmt: skip
    evidence_lapsed = (
        awaiting_evidence.to(under_review.reviewing, cond=evidence_came, unless=in_appeal)
        | awaiting_evidence.to(appealed, cond=[evidence_came, in_appeal])
        | awaiting_evidence.to(rejected.appealable, unless=[evidence_came, in_appeal])
        | awaiting_evidence.to(rejected.closed, cond=in_appeal, unless=evidence_came)
    )

    # negotiation
    offer = under_review.reviewing.to(under_review.negotiating) | appealed.to(under_review.negotiating)
    counter_offer = stays(under_review.negotiating)
    accept_offer = (
        under_review.negotiating.to(approved.payable, cond=refund_part)
        | under_review.negotiating.to(paid_out.settled, unless=refund_part)
    )  # fmt: skip
    decline_offer = (
        under_review.negotiating.to(under_review.reviewing, unless=in_appeal)
        | under_review.negotiating.to(appealed, cond=in_appeal)
    )  # fmt: skip
    offer_lapsed = (
        under_review.negotiating.to(under_review.reviewing, unless=in_appeal)
        | under_review.negotiating.to(appealed, cond=in_appeal)
    )  # fmt: skip

    # appeal
    appeal = rejected.appealable.to(appealed)
    appeal_window_closed = rejected.appealable.to(rejected.closed)
    uphold = appealed.to(rejected.closed)
    overturn = appealed.to(approved.payable)
    appeal_overdue = stays(appealed)

    # payout
    dispatch_payout = approved.payable.to(approved.paying)
    payout_settled = (
        approved.paying.to(paid_out.settled) | approved.payable.to(paid_out.settled)
        | approved.payout_failed.to(paid_out.settled)
    )  # fmt: skip
    payout_refused = approved.paying.to(approved.payout_failed) | approved.payable.to(approved.payout_failed)
    retry_payout = approved.payout_failed.to(approved.payable)
    reroute_payout = approved.payout_failed.to(approved.payable)
    pay_manually = approved.payout_failed.to(approved.paying)
    payout_reversed = (
        paid_out.settled.to(approved.payout_failed) | approved.paying.to(approved.payout_failed)
        | approved.payable.to(approved.payout_failed) | stays(approved.payout_failed)
    )  # fmt: skip
    revoke_approval = (
        approved.payable.to(under_review.reviewing, unless=in_appeal) | approved.payable.to(appealed, cond=in_appeal)
        | approved.payout_failed.to(under_review.reviewing, unless=in_appeal)
        | approved.payout_failed.to(appealed, cond=in_appeal)
    )  # fmt: skip
    payout_overdue = (
        stays(approved.payable) | stays(approved.paying)
        | stays(approved.payout_failed)
    )  # fmt: skip
    enquiry_overdue = (
        stays(approved.payable) | stays(approved.paying)
        | stays(approved.payout_failed) | stays(paid_out.settled)
    )  # fmt: skip

    # arrival
    confirm_receipt = paid_out.settled.to(paid_out.confirmed)
    receipt_assumed = paid_out.settled.to(paid_out.confirmed)


CHART = "refund/1"
TABLE = Table(RefundV1, CHART)
