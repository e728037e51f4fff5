"""Payouts that go wrong, by plain commands: refused, retried, rerouted, voided, revoked, come back late."""

from typing import Any

import pytest

from refundflow.gateways import FakeChannel
from tests.acceptance.desk import Desk


def scripted(desk: Desk, *scripts: str) -> None:
    """Say what the fake channel does with the payouts of order A1."""
    path = f"{desk.url.removeprefix('sqlite:///')}.channel.fake.json"
    FakeChannel("fake", path=path).script("pay-1", *scripts)


def approved(desk: Desk) -> Any:
    """Bring a claim on order A1 to its approval and let the worker send the payout."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("approve A1-1-1 --as agent:li")
    desk.text("worker --once --at 2026-03-03T09:05:00+08:00")
    return desk.json("show A1-1-1 --as finance:chen")


def number_of(refund: Any) -> str:
    """Return the only payout number of a refund."""
    (attempt,) = refund["attempts"]
    return str(attempt["number"])


def test_a_refused_number_is_tried_again(desk: Desk) -> None:
    """A number that the channel refused but not voided is sent again, the same one."""
    scripted(desk, "refuse")
    failed = approved(desk)
    retried = desk.run("retry-payout A1-1-1 --as finance:chen")

    after = desk.json("show A1-1-1 --as finance:chen")

    assert failed["state"].startswith("approved.")
    assert retried.exit_code in (0, 3)  # the system may have been first
    assert {item["number"] for item in after["attempts"]} == {number_of(failed)}


def test_a_void_number_is_rerouted_by_two_persons(desk: Desk) -> None:
    """Once the number is void the payout goes by another channel, if two persons of finance say so."""
    scripted(desk, "refuse_void")
    failed = approved(desk)
    assert (failed["state"], failed["attempts"][0]["void"]) == ("approved.payout_failed", True)
    command = "reroute-payout A1-1-1 --channel balance --message 'Account closed.'"
    assert desk.json(f"{command} --as finance:chen")["waiting"] is True

    rerouted = desk.json(f"{command} --as finance:zhou")
    desk.text("worker --once --at 2026-03-03T09:10:00+08:00")
    paid = desk.json("show A1-1-1 --as finance:chen")

    assert (rerouted["state"], rerouted["channel"]) == ("approved.payable", "balance")
    assert paid["state"] == "paid_out.settled"
    assert {(item["channel"], item["state"]) for item in paid["attempts"]} == {
        ("fake", "refused"),
        ("balance", "settled"),
    }


def test_a_void_approval_is_revoked(desk: Desk) -> None:
    """A supervisor takes an approval back when no number can pay any more, and says why."""
    scripted(desk, "refuse_void")
    approved(desk)
    assert desk.refused("revoke-approval A1-1-1 --as supervisor:zhao", 3)["code"] == "REASON_REQUIRED"

    done = desk.json("revoke-approval A1-1-1 --message 'Wrong line.' --as supervisor:zhao")

    assert done["state"] == "under_review.reviewing"


def test_an_unknown_number_is_voided_with_a_proof_only(desk: Desk) -> None:
    """A number that failed is said void by finance, with the channel's proof."""
    scripted(desk, "timeout_for_ever")
    number = number_of(approved(desk))
    refused = f"payout-refused A1-1-1 --number {number} --proof CH-9 --as finance:chen"
    assert desk.json(refused)["state"] == "approved.payout_failed"
    assert desk.refused(f"void-attempt A1-1-1 --number {number} --as finance:chen", 3)["code"] == "PROOF_REQUIRED"

    done = desk.json(f"void-attempt A1-1-1 --number {number} --proof CH-10 --as finance:chen")

    assert done["attempts"][0]["void"] is True


def test_a_payment_that_comes_back_after_the_end_is_kept_and_claimed_anew(desk: Desk) -> None:
    """A late reversal lowers what was settled, and a service claims what came back."""
    number = number_of(approved(desk))
    desk.text("confirm-receipt A1-1-1 --as buyer:b-17")
    late = f"late-reversal A1-1-1 --number {number} --amount 10000 --currency CNY --proof BOUNCE-3"
    assert desk.json(f"{late} --as finance:chen --occurred-at 2026-03-03T08:00:00Z")["settled_minor"] == 0
    claim = "submit A1 --reason PAYOUT_RETURNED --returned A1-1-1 --as service:shop --for b-17"

    done = desk.json(claim)

    assert (done["id"], done["claimed_minor"], done["state"]) == ("A1-1-2", 10000, "submitted")


def test_what_was_paid_too_much_is_resolved_by_two_persons(desk: Desk) -> None:
    """A capture that shrank below what was paid leaves an excess, which two persons of finance resolve."""
    approved(desk)
    assert desk.json("record-captured A1 --amount 8000 --as service:shop")["excess_minor"] == 2000
    command = "excess-resolved A1 --amount 2000 --how returned --proof BANK-12"
    assert desk.json(f"{command} --as finance:chen")["waiting"] is True

    done = desk.json(f"{command} --as finance:zhou")

    assert (done["excess_minor"], done["settled_minor"]) == (0, 8000)


def test_a_request_for_evidence_is_ended_with_a_reason(desk: Desk) -> None:
    """An agent ends a request that is not needed any more, and says why."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("request-evidence A1-1-1 --kind activation_record --as agent:li")
    assert desk.refused("end-request A1-1-1 --as agent:li", 3)["code"] == "REASON_REQUIRED"

    assert desk.json("end-request A1-1-1 --message 'Found it.' --as agent:li")["state"] == "under_review.reviewing"


@pytest.mark.parametrize("name", ["wang", "nobody"])
def test_work_is_routed_to_a_registered_person(desk: Desk, name: str) -> None:
    """Work is assigned to who is registered, and shows up as his."""
    desk.text("staff add wang --role agent --as supervisor:zhao")
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    result = desk.run(f"assign A1-1-1 --to {name} --as agent:li")

    assert result.exit_code == (0 if name == "wang" else 3)
    mine = desk.json("queue --mine --as agent:wang")
    assert [item["id"] for item in mine] == (["A1-1-1"] if name == "wang" else [])
