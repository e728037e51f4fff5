"""Errors: stable codes, one table to exit and HTTP status, and the same words everywhere."""

import refundflow.errors as errors
from refundflow.errors import BadInput, PolicyInvalid, ProofFailed, RefundflowError, Refused, RoleNotAllowed
from refundflow.render import error_json, error_lines
from states.case import Blocker


def kinds(root: type[RefundflowError]) -> set[type[RefundflowError]]:
    """Return an error class and everything below it."""
    return {root}.union(*(kinds(child) for child in root.__subclasses__()))


def test_every_error_has_a_status_and_a_place_in_the_tree() -> None:
    """Every class of error stands in the table of statuses and in the tree of the module's docstring."""
    for kind in kinds(RefundflowError):
        status = errors.STATUS[kind.kind]
        line = next(line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line.split())
        assert f"{status.exit} / {status.http}" in line


def test_every_status_of_the_table_is_one_that_is_documented() -> None:
    """Exit statuses are those of the documentation; 7 is reserved."""
    assert {status.exit for status in errors.STATUS.values()} == {1, 2, 3, 4, 5, 6, 8}


def test_a_refusal_carries_the_code_of_its_first_blocker() -> None:
    """The code of a refusal is that of its first blocker; its status is that of refusals."""
    error = Refused([Blocker(code="NOT_PAID"), Blocker(code="TEXT_REQUIRED")])

    assert (error.code, error.status.exit, error.status.http) == ("NOT_PAID", 3, 409)


def test_a_refused_role_has_its_own_status() -> None:
    """Whoever may not do a thing is told by another exit status than who may not do it now."""
    assert RoleNotAllowed([Blocker(code="NOT_REGISTERED", params={"name": "li"})]).status.exit == 4


def test_a_refusal_as_json_names_blockers_until_and_what_is_possible() -> None:
    """A program reads code, message, every blocker with its parameters and until, and what is possible."""
    blocker = Blocker(code="CHANNEL_SPACING", params={"channel": "alipay"}, until="2026-11-22T13:00:03.000000Z")
    error = Refused([blocker], possible=("retry_payout",), refund="A1-1-1", zone="Asia/Shanghai")

    assert error_json(error) == {
        "code": "CHANNEL_SPACING",
        "message": "the channel wants a pause between refunds of one payment, until Sun 22 Nov 2026 21:00",
        "blockers": [{"code": "CHANNEL_SPACING", "channel": "alipay", "until": "2026-11-22T13:00:03.000000Z"}],
        "possible": ["retry_payout"],
        "refund": "A1-1-1",
    }


def test_a_refusal_in_words_has_one_line_for_each_blocker() -> None:
    """A person reads every blocker in words with its code, and what is possible instead."""
    error = Refused(
        [Blocker(code="NOT_PAID"), Blocker(code="AMOUNT_NOT_POSITIVE", params={"amount": 0})],
        possible=("withdraw",),
        currency="CNY",
    )

    assert error_lines(error) == [
        "refused: the order is not paid (NOT_PAID)",
        "refused: the amount must be above zero, not 0.00 CNY (AMOUNT_NOT_POSITIVE)",
        "possible instead: withdraw",
    ]


def test_an_error_without_blockers_has_the_same_keys() -> None:
    """A program finds the same keys in every error; a field that is wrong is named beside them."""
    assert error_json(BadInput("no", field="amount")) == {
        "code": "BAD_INPUT", "message": "no", "blockers": [], "possible": [], "field": "amount",
    }  # fmt: skip


def test_a_policy_names_all_its_problems_at_once() -> None:
    """A wrong policy file names file, key and what is allowed, for every problem."""
    error = PolicyInvalid("my.toml", [("zone", "is 'Mars'", "a time zone"), ("offer_hours", "is missing", "1 to 720")])

    assert error.message.splitlines() == [
        "my.toml: zone: is 'Mars' (allowed: a time zone)",
        "my.toml: offer_hours: is missing (allowed: 1 to 720)",
    ]
    assert [problem["key"] for problem in error.as_json()["problems"]] == ["zone", "offer_hours"]


def test_a_failed_proof_names_every_finding() -> None:
    """A proof that fails says where, for every place."""
    error = ProofFailed(["A1-1-1 #3: hash", "A1-1-1 #4: gap"])

    assert error.status.exit == 8
    assert error.as_json()["findings"] == ["A1-1-1 #3: hash", "A1-1-1 #4: gap"]
