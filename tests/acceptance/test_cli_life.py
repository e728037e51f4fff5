"""Whole lives of refunds by plain commands, on both databases."""

from tests.acceptance.desk import Desk


def test_a_refund_lives_from_claim_to_arrival(both_desks: Desk) -> None:
    """A claim is reviewed, approved, paid by the channel, and ends when the buyer confirms the arrival."""
    desk = both_desks
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("approve A1-1-1 --as agent:li --at 2026-03-03T10:00:00+08:00")
    desk.text("worker --once --at 2026-03-03T10:01:00+08:00")

    done = desk.json("confirm-receipt A1-1-1 --as buyer:b-17")

    assert (done["state"], done["settled_minor"], done["deadline"]) == ("paid_out.confirmed", 10000, None)
    assert [item["event"] for item in desk.json("history A1-1-1 --as auditor:sun")] == [
        "submit", "begin_review", "approve", "dispatch_payout", "payout_settled", "confirm_receipt",
    ]  # fmt: skip
    assert desk.json("audit verify")["ok"] is True


def test_silence_in_a_request_for_evidence_ends_in_a_rejection_by_itself(both_desks: Desk) -> None:
    """Without an answer the request lapses, the claim is rejected, and the case closes, without any worker."""
    desk = both_desks
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("request-evidence A1-1-1 --kind activation_record --as agent:li")

    lapsed = desk.json("show A1-1-1 --as agent:li --at 2026-03-05T09:00:00+08:00")
    closed = desk.json("show A1-1-1 --as agent:li --at 2026-03-09T00:00:00+08:00")

    assert (lapsed["state"], lapsed["grounds"]) == ("rejected.appealable", ["EVIDENCE_MISSING"])
    assert closed["state"] == "rejected.closed"


def test_evidence_ends_the_request_when_every_kind_is_in(desk: Desk) -> None:
    """The review goes on when the kinds that were asked for are in."""
    record = desk.file("record.txt", "never activated")
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("request-evidence A1-1-1 --kind activation_record --as agent:li")

    done = desk.json(f"provide-evidence A1-1-1 --evidence activation_record={record} --as buyer:b-17")

    assert done["state"] == "under_review.reviewing"
    assert [(item["kind"], item["size"]) for item in done["evidence"]] == [("activation_record", 15)]


def test_an_offer_is_countered_and_accepted(desk: Desk) -> None:
    """A partly used service is settled by an offer, a counter-offer and its acceptance."""
    desk.text("submit A3 --reason CANNOT_LOG_IN --as buyer:b-18")
    desk.text("begin-review A3-1-1 --as agent:li")
    desk.text("offer A3-1-1 --amount 15000 --message 'Half.' --as agent:li")
    desk.text("counter-offer A3-1-1 --amount 20000 --as buyer:b-18")

    done = desk.json("accept-offer A3-1-1 --as agent:li")

    assert (done["state"], done["approved_minor"]) == ("approved.payable", 20000)


def test_a_declined_offer_leads_back_to_the_review(desk: Desk) -> None:
    """The buyer declines, and the reviewer rejects with grounds."""
    desk.text("submit A3 --reason CANNOT_LOG_IN --as buyer:b-18")
    desk.text("begin-review A3-1-1 --as agent:li")
    desk.text("offer A3-1-1 --amount 15000 --as agent:li")
    assert desk.json("decline-offer A3-1-1 --as buyer:b-18")["state"] == "under_review.reviewing"

    done = desk.json("reject A3-1-1 --ground DELIVERY_PROVEN --message 'You logged in today.' --as agent:li")

    assert (done["state"], done["grounds"]) == ("rejected.appealable", ["DELIVERY_PROVEN"])


def test_an_appeal_is_overturned_by_another_person(desk: Desk) -> None:
    """A claim that was rejected at once is appealed, and a second reviewer overturns it with a ground."""
    chat = desk.file("chat.txt", "we promise")
    rejected = desk.json("submit A5 --reason WRONG_FACE_VALUE --as buyer:b-19")
    assert (rejected["state"], rejected["grounds"]) == ("rejected.appealable", ["ALREADY_ACTIVATED"])
    appealed = desk.json(f"appeal A5-1-1 --evidence platform_promise={chat} --as buyer:b-19")
    assert (appealed["state"], appealed["clear_evidence"]) == ("appealed", True)

    done = desk.json("overturn A5-1-1 --message 'The promise binds us.' --as agent:wang")

    assert done["state"] == "approved.payable"


def test_an_appeal_is_upheld_and_the_case_ends(desk: Desk) -> None:
    """A rejection that is upheld is final."""
    desk.text("submit A5 --reason WRONG_FACE_VALUE --as buyer:b-19")
    desk.text("appeal A5-1-1 --ground 'The card never worked, as I said in my claim.' --as buyer:b-19")

    assert desk.json("uphold A5-1-1 --ground NO_NEW_GROUND --as agent:wang")["state"] == "rejected.closed"


def test_a_claim_is_withdrawn(desk: Desk) -> None:
    """A withdrawn claim is final, and the line can be claimed again."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    assert desk.json("withdraw A1-1-1 --as buyer:b-17")["state"] == "withdrawn"
    assert desk.json("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")["id"] == "A1-1-2"


def test_above_the_limit_the_first_of_two_persons_leaves_the_state(desk: Desk) -> None:
    """A large approval is recorded as 1 of 2, said so, and done by a second person."""
    desk.text("submit A2 --reason NOT_DELIVERED --as buyer:b-17")
    desk.text("begin-review A2-1-1 --as agent:li")

    first = desk.run("approve A2-1-1 --as agent:li")
    second = desk.json("approve A2-1-1 --as agent:wang")

    assert (first.exit_code, first.stderr.startswith("recorded, 1 of 2")) == (0, True)
    assert first.stdout.startswith("A2-1-1\tunder review\t")
    assert second["state"] == "approved.payable"


def test_the_first_of_two_can_be_taken_back(desk: Desk) -> None:
    """Who gave the first of two takes it back; the next call is a first again."""
    desk.text("submit A2 --reason NOT_DELIVERED --as buyer:b-17")
    desk.text("begin-review A2-1-1 --as agent:li")
    desk.text("approve A2-1-1 --as agent:li")

    assert desk.json("take-back A2-1-1 --event approve --as agent:li")["firsts"] == []
    assert desk.json("approve A2-1-1 --as agent:wang")["waiting"] is True


def test_a_failed_payout_is_paid_by_hand(desk: Desk) -> None:
    """A refused and void number is paid by a bank transfer that two persons of finance open and prove."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("approve A1-1-1 --as agent:li")
    desk.text("worker --once --at 2026-03-03T09:05:00+08:00")
    settled = desk.json("show A1-1-1 --as finance:chen")
    number, proof = settled["attempts"][0]["number"], "BOUNCE-1"
    bounced = f"payout-reversed A1-1-1 --number {number} --amount 10000 --currency CNY --proof {proof}"
    assert desk.json(f"{bounced} --as finance:chen")["state"] == "approved.payout_failed"
    desk.text("pay-manually A1-1-1 --message 'Account closed.' --as finance:chen")
    paying = desk.json("pay-manually A1-1-1 --message 'Account closed.' --as finance:zhou")
    (by_hand,) = (item["number"] for item in paying["attempts"] if item["channel"] == "bank_manual")
    proven = f"payout-settled A1-1-1 --number {by_hand} --amount 10000 --currency CNY --proof BANK-7"
    assert desk.json(f"{proven} --as finance:chen")["waiting"] is True

    done = desk.json(f"{proven} --as finance:zhou")

    assert (paying["state"], done["state"], done["settled_minor"]) == ("approved.paying", "paid_out.settled", 10000)


def test_a_buyer_asks_where_the_money_is(desk: Desk) -> None:
    """A buyer who sees nothing raises an enquiry, and support answers it by a code."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("approve A1-1-1 --as agent:li")
    desk.text("worker --once")
    assert desk.json("raise-enquiry A1-1-1 --message 'Nothing here.' --as buyer:b-17")["deadline"]["name"] == "enquiry"

    done = desk.json("answer-enquiry A1-1-1 --answer CHANNEL_PROCESSING --as agent:li")

    assert (done["enquiry_since"], done["deadline"]["name"]) == (None, "receipt")


def test_entries_beside_the_chart_change_no_state(desk: Desk) -> None:
    """Notes, assignments, risk flags and extensions leave the state as it is."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    due = desk.json("begin-review A1-1-1 --as agent:li")["deadline"]["due_at"]
    desk.text("note A1-1-1 --message 'Called back.' --contact phone --as agent:li")
    desk.text("flag-risk A1-1-1 --flag SHARED_DEVICE --as agent:li")

    done = desk.json("extend A1-1-1 --days 2 --message 'Public holiday.' --as supervisor:zhao")

    assert (done["state"], done["flags"]) == ("under_review.reviewing", ["SHARED_DEVICE"])
    assert done["deadline"]["due_at"] > due


def test_facts_of_an_order_line_are_told_and_known(desk: Desk) -> None:
    """Usage, completion, capture and chargebacks change the line once; the same fact again changes nothing."""
    completed = "2026-03-02T12:00:00+08:00"
    assert desk.json("record-usage A1 --usage activated --as service:shop")["usage"] == "activated"
    assert desk.json("record-usage A1 --usage activated --as service:shop")["changed"] is False
    assert desk.json(f"record-completed A6 --completed-at {completed} --as service:shop")["completed_at"]
    assert desk.json("record-captured A1 --amount 9000 --as service:shop")["left_minor"] == 9000
    opened = desk.json("chargeback-opened A1 --chargeback CB-1 --amount 9000 --as finance:chen")
    assert (opened["charged_back_minor"], opened["left_minor"]) == (9000, 0)

    closed = desk.json("chargeback-closed A1 --chargeback CB-1 --amount 9000 --outcome won --as finance:chen")

    assert (closed["charged_back_minor"], closed["left_minor"]) == (0, 9000)
