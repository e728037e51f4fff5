"""The default policy says what the workflow says, and a policy that cannot be right is refused as a whole."""

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from refundflow.errors import PolicyInvalid
from refundflow.policies import content_of, default, default_text, parse, restore
from states.codes import PRODUCT_TYPES, REASONS, USAGES
from states.policy import ChannelRule, MoneyRule, PolicyProblem, build
from states.policy_values import VERDICTS

Content = dict[str, Any]
R, J, N, X = "review", "reject:ALREADY_ACTIVATED", "negotiate", "not_accepted"
GRID = {
    "WRONG_FACE_VALUE": (R, J, N, X, R),
    "RIGHTS_NOT_AS_DESCRIBED": (R, J, N, X, R),
    "WRONG_PRODUCT": (R, J, N, X, R),
    "CODE_INVALID": (R, R, R, R, R),
    "CODE_ALREADY_USED": (R, R, R, R, R),
    "CREDITED_WRONG_ACCOUNT": (R, R, R, R, R),
    "NOT_DELIVERED": (R, R, N, X, R),
    "NOT_PROVISIONED": (R, R, N, X, R),
    "CANNOT_LOG_IN": (R, R, N, N, R),
    "SERVICE_INTERRUPTED": (R, R, N, N, R),
    "MINOR_SPENDING": (R, R, R, R, R),
    "FRAUD": (R, R, R, R, R),
    "DUPLICATE_PAYMENT": (R, R, R, R, R),
    "PAYOUT_RETURNED": (R, R, R, R, R),
    "NO_LONGER_NEEDED": (R, J, X, X, R),
    "OTHER": (R, J, N, X, R),
}  # unused, activated, partly_used, used, unknown
CODES_OF = {"game_card", "gift_card", "software_licence", "membership"}
SERVICES = {"software_account", "software_licence", "membership", "virtual_hosting", "game_item", "other"}
PRODUCTS = {
    "WRONG_FACE_VALUE": {"game_card", "gift_card", "game_topup", "phone_topup"},
    "CODE_INVALID": CODES_OF,
    "CODE_ALREADY_USED": CODES_OF,
    "CANNOT_LOG_IN": SERVICES,
    "SERVICE_INTERRUPTED": SERVICES,
}  # the others: all


def content() -> Content:
    """Read the default policy's content, to be changed."""
    return tomllib.loads(default_text())


def problems(change: Callable[[Content], object]) -> dict[str, str]:
    """Return the problems of the default with a change: key → what is wrong."""
    changed = content()
    change(changed)
    with pytest.raises(PolicyProblem) as caught:
        build(changed)
    assert all(found.allowed for found in caught.value.problems)
    return {found.key: found.problem for found in caught.value.problems}


# --- the default ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("zone", "Asia/Shanghai"),
        ("claim_window_days", 7),
        ("claim_limit_days", 90),
        ("claims_per_line", 5),
        ("review_days_raised", 3),
        ("evidence_hours", 48),
        ("offer_hours", 48),
        ("appeal_window_days", 3),
        ("appeal_review_days", 3),
        ("payout_hours", 24),
        ("receipt_days", 7),
        ("enquiry_minutes", 60),
        ("overdue_short_times", 5),
        ("overdue_short_days", 1),
        ("overdue_long_days", 5),
        ("promise_short_times", 7),
        ("promise_short_hours", 24),
        ("promise_long_hours", 7 * 24),
        ("warn_hours", 24),
        ("warn_payout_hours", 4),
        ("warn_enquiry_minutes", 15),
        ("extension_days", 7),
        ("evidence_rounds", 2),
        ("offer_rounds", 3),
        ("evidence_max_files", 10),
        ("evidence_max_bytes", 10 * 1024 * 1024),
        ("risk_claims", 3),
        ("risk_days", 30),
        ("automatic_retries", 3),
        ("ask_again_seconds", (60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)),
    ],
)
def test_each_number_is_the_workflows(key: str, value: object) -> None:
    """The packaged file holds what the workflow names as the default."""
    assert getattr(default(), key) == value


def test_the_files_allowed_are_the_eight_of_the_workflow() -> None:
    """Pictures, documents, texts and films: png jpeg webp pdf txt csv json mp4."""
    kinds = {media.split("/")[1] for media in default().media_types}

    assert kinds == {"png", "jpeg", "webp", "pdf", "plain", "csv", "json", "mp4"}


@pytest.mark.parametrize("reason", REASONS)
def test_each_row_of_eligibility_is_the_workflows(reason: str) -> None:
    """For every product and usage the cell is that of the table, and the reason is for these products."""
    rule = default().reasons[reason]

    for product in PRODUCT_TYPES:
        assert tuple(default().cell(reason, product, usage) for usage in USAGES) == GRID[reason]
    assert rule.products == PRODUCTS.get(reason)
    assert rule.code == reason


@pytest.mark.parametrize(
    ("attribute", "reasons"),
    [
        ("text_required", {"OTHER"}),
        ("service_only", {"PAYOUT_RETURNED"}),
        ("exempt_claim_limit", {"MINOR_SPENDING", "FRAUD", "PAYOUT_RETURNED"}),
        ("exempt_claim_window", {"MINOR_SPENDING", "FRAUD", "PAYOUT_RETURNED", "DUPLICATE_PAYMENT"}),
    ],
)
def test_exceptions_are_for_the_reasons_that_the_workflow_names(attribute: str, reasons: set[str]) -> None:
    """Each exception holds for these reasons and for no other."""
    assert {code for code, rule in default().reasons.items() if getattr(rule, attribute)} == reasons


def test_paid_is_enough_where_nothing_arrived() -> None:
    """Undelivered, unprovisioned and paid twice need no completion, everything else does."""
    paid_is_enough = {code for code, rule in default().reasons.items() if not rule.needs_completion}

    assert paid_is_enough == {"NOT_DELIVERED", "NOT_PROVISIONED", "DUPLICATE_PAYMENT"}


@pytest.mark.parametrize(
    ("family", "reasons"),
    [
        ("not_as_described", "WRONG_FACE_VALUE RIGHTS_NOT_AS_DESCRIBED WRONG_PRODUCT"),
        (
            "platform_fault",
            "CODE_INVALID CODE_ALREADY_USED CREDITED_WRONG_ACCOUNT NOT_DELIVERED NOT_PROVISIONED "
            "CANNOT_LOG_IN SERVICE_INTERRUPTED",
        ),
        ("legal", "MINOR_SPENDING FRAUD"),
        ("other", "DUPLICATE_PAYMENT PAYOUT_RETURNED NO_LONGER_NEEDED OTHER"),
    ],
)
def test_families_are_those_of_the_table(family: str, reasons: str) -> None:
    """Each reason stands in the family that the workflow writes beside it."""
    assert {code for code, rule in default().reasons.items() if rule.family == family} == set(reasons.split())


@pytest.mark.parametrize(
    ("product", "days"),
    [
        ("phone_topup", 1), ("game_card", 1), ("game_topup", 1), ("game_item", 1), ("gift_card", 1),
        ("membership", 2), ("software_licence", 2), ("software_account", 2), ("other", 2),
        ("virtual_hosting", 3),
    ],
)  # fmt: skip
def test_a_review_lasts_by_product_and_longer_for_large_or_flagged_claims(product: str, days: int) -> None:
    """Exactly at the limit it is still the product's, one minor unit above or with a flag it is three."""
    policy = default()

    assert policy.review_days_for(product, 100000, "CNY", False) == days
    assert policy.review_days_for(product, 100001, "CNY", False) == 3
    assert policy.review_days_for(product, 1, "CNY", True) == 3
    assert policy.review_days_for(product, 100001, "XTS", False) == days


def test_a_raised_review_is_never_shorter_than_the_products_own() -> None:
    """A policy may give a product more days than a flag would."""
    changed = content()
    changed["review_days"]["virtual_hosting"] = 9

    assert build(changed).review_days_for("virtual_hosting", 200000, "CNY", True) == 9


@pytest.mark.parametrize(
    ("product", "reason", "groups"),
    [
        ("game_card", "WRONG_PRODUCT", [("activation_record",)]),
        ("software_account", "OTHER", [("login_log",)]),
        ("virtual_hosting", "NOT_PROVISIONED", [("provisioning_record",)]),
        ("phone_topup", "NOT_DELIVERED", [("topup_record",)]),
        ("game_topup", "NOT_DELIVERED", [("topup_record",)]),
        ("membership", "SERVICE_INTERRUPTED", [("service_monitor_log", "screenshot")]),
        ("gift_card", "FRAUD", [("statement",)]),
        (
            "game_card",
            "MINOR_SPENDING",
            [("activation_record",), ("identity_proof",), ("guardianship_proof",), ("payment_proof",)],
        ),
        ("gift_card", "OTHER", []),
    ],
)
def test_product_and_reason_say_together_what_is_needed(
    product: str, reason: str, groups: list[tuple[str, ...]]
) -> None:
    """First the product's, then the reason's; any one kind of a group suffices."""
    assert default().needed(product, reason) == tuple(groups)


def test_what_both_need_is_needed_once() -> None:
    """The same kinds in another order are the same need."""
    changed = content()
    changed["needed_by_product"]["membership"] = ["screenshot | service_monitor_log", "login_log"]

    assert build(changed).needed("membership", "SERVICE_INTERRUPTED") == (
        ("screenshot", "service_monitor_log"),
        ("login_log",),
    )


def test_money_limits_are_the_workflows_and_for_yuan_only() -> None:
    """Two persons and longer review above 1000 yuan, small claims to 50, compensations to 20 and 100."""
    assert default().money == {
        "CNY": MoneyRule(
            two_persons_above=100000, raised_review_above=100000, small_claim_up_to=5000,
            compensation_agent=2000, compensation_supervisor=10000,
        )
    }  # fmt: skip


def test_channel_rules_are_the_workflows() -> None:
    """Alipay: 3 seconds apart, asked after 10; WeChat Pay: 1 minute, 50 refunds, 365 days."""
    alipay = ChannelRule(spacing_seconds=3, count_limit=None, window_days=None, ask_again_min_seconds=10)
    wechat = ChannelRule(spacing_seconds=60, count_limit=50, window_days=365, ask_again_min_seconds=60)

    assert default().channels["alipay"] == alipay
    assert default().channels["wechat_pay"] == wechat


# --- version and content -------------------------------------------------------------------------


def reversed_keys(value: Any) -> Any:
    """Turn the order of keys round, at every depth."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return value


def test_the_version_is_that_of_the_content_alone() -> None:
    """Comments and the order of keys change nothing; any value changes it."""
    commented = "# ours\n" + default_text().replace("claim_window_days = 7", "claim_window_days   = 7  # a week")
    longer = default_text().replace("claim_window_days = 7", "claim_window_days = 8")

    assert build(reversed_keys(content())).version == default().version
    assert parse(commented, "ours.toml").version == default().version
    assert parse(longer, "ours.toml").version != default().version


def test_a_stored_policy_is_the_policy() -> None:
    """Restored from its content it is equal, with the same version and hash."""
    again = restore(content_of(default()))

    assert again == default()
    assert hash(again) == hash(default())
    assert json.loads(content_of(default())) == content()


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("claim_window_days", -1),
        ("claim_window_days", 0),
        ("claim_window_days", 7.0),
        ("claim_window_days", "7"),
        ("claims_per_line", True),
        ("evidence_hours", 10**6),
        ("evidence_max_bytes", 0),
        ("zone", "Mars/Olympus"),
        ("zone", "../etc/passwd"),
        ("zone", ""),
        ("zone", 8),
        ("media_types", []),
        ("media_types", "image/png"),
        ("media_types", ["image/png", "image/png"]),
        ("media_types", [""]),
        ("service_evidence", ["hearsay"]),
        ("system_grounds", ["BORED"]),
        ("ask_again_seconds", []),
        ("ask_again_seconds", [60, 30]),
        ("ask_again_seconds", [0]),
        ("ask_again_seconds", [60, "300"]),
        ("money", {}),
        ("money", 5),
        ("reasons", []),
        ("channels", "all"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(key: str, value: object) -> None:
    """The problem is that of the key alone: one slip gives one problem."""
    assert list(problems(lambda changed: changed.update({key: value}))) == [key]


@pytest.mark.parametrize("key", sorted(set(tomllib.loads(default_text())) - {"tighter"}))
def test_a_key_that_is_missing_is_named(key: str) -> None:
    """Nothing is filled in: the file is whole, and what is below a missing table is not told as well."""
    assert problems(lambda changed: changed.pop(key)) == {key: "is missing"}


def test_without_a_table_of_tightened_cells_nothing_is_tightened() -> None:
    """It is the one table that may be left out."""
    changed = content()
    del changed["tighter"]

    assert build(changed).tighter == {}


@pytest.mark.parametrize(
    ("table", "key", "problem"),
    [
        ("reasons", "OTHER", "is missing"),
        ("review_days", "gift_card", "is missing"),
        ("channels", "wechat_pay", "is missing"),
    ],
)
def test_a_row_that_is_missing_is_named(table: str, key: str, problem: str) -> None:
    """Every reason, product type and channel has its row."""
    assert problems(lambda changed: changed[table].pop(key)) == {f"{table}.{key}": problem}


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("reasons",), {"BAD_MOOD": {}}, "reasons.BAD_MOOD"),
        (("reasons", "FRAUD"), {"worn": "review"}, "reasons.FRAUD.worn"),
        (("reasons", "FRAUD"), {"unused": "maybe"}, "reasons.FRAUD.unused"),
        (("reasons", "FRAUD"), {"family": "crime"}, "reasons.FRAUD.family"),
        (("reasons", "FRAUD"), {"products": []}, "reasons.FRAUD.products"),
        (("reasons", "FRAUD"), {"products": ["car"]}, "reasons.FRAUD.products"),
        (("reasons", "FRAUD"), {"products": "some"}, "reasons.FRAUD.products"),
        (("reasons", "FRAUD"), {"text_required": 1}, "reasons.FRAUD.text_required"),
        (("reasons", "PAYOUT_RETURNED"), {"service_only": False}, "reasons.PAYOUT_RETURNED.service_only"),
        (("review_days",), {"car": 1}, "review_days.car"),
        (("review_days",), {"gift_card": 0}, "review_days.gift_card"),
        (("needed_by_product",), {"car": ["statement"]}, "needed_by_product.car"),
        (("needed_by_product",), {"gift_card": []}, "needed_by_product.gift_card"),
        (("needed_by_product",), {"gift_card": ["hearsay"]}, "needed_by_product.gift_card"),
        (("needed_by_reason",), {"FRAUD": ["statement |"]}, "needed_by_reason.FRAUD"),
        (("needed_by_reason",), {"FRAUD": "statement"}, "needed_by_reason.FRAUD"),
        (("money",), {"Yuan": {}}, "money.Yuan"),
        (("money", "CNY"), {"two_persons_above": -1}, "money.CNY.two_persons_above"),
        (("money", "CNY"), {"tip": 1}, "money.CNY.tip"),
        (("channels",), {"pigeon": {}}, "channels.pigeon"),
        (("channels", "fake"), {"count_limit": 0}, "channels.fake.count_limit"),
        (("channels", "fake"), {"speed": 1}, "channels.fake.speed"),
    ],
)
def test_a_wrong_row_is_named_with_its_table(path: tuple[str, ...], value: Content, key: str) -> None:
    """Unknown names and values that are not allowed are found at every depth."""

    def change(changed: Content) -> None:
        for part in path:
            changed = changed[part]
        changed.update(value)

    assert key in problems(change)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"claim_limit_days": 6}, "claim_limit_days"),
        ({"warn_hours": 48}, "warn_hours"),
        ({"warn_payout_hours": 24}, "warn_payout_hours"),
        ({"warn_enquiry_minutes": 60}, "warn_enquiry_minutes"),
    ],
)
def test_numbers_that_contradict_one_another_are_named(changes: Content, key: str) -> None:
    """A limit before the window, or a warning before there is anything to warn of."""
    assert list(problems(lambda changed: changed.update(changes))) == [key]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"compensation_supervisor": 1999}, "money.CNY.compensation_agent"),
        ({"two_persons_above": 4999}, "money.CNY.small_claim_up_to"),
    ],
)
def test_limits_that_contradict_one_another_are_named(changes: Content, key: str) -> None:
    """A supervisor may do what an agent may; what needs two persons is no small claim."""
    assert list(problems(lambda changed: changed["money"]["CNY"].update(changes))) == [key]


def test_a_key_that_was_misspelt_is_guessed() -> None:
    """An unknown key is a problem, and so is the one that is missing in its place."""
    found = problems(lambda changed: changed.update(claim_windw_days=changed.pop("claim_window_days")))

    assert set(found) == {"claim_windw_days", "claim_window_days"}
    assert "did you mean claim_window_days?" in found["claim_windw_days"]


def tightening(product: str, reason: str, usage: str, verdict: str) -> Callable[[Content], None]:
    """Say how to tighten one cell for a product."""
    return lambda changed: changed.update(tighter={product: {reason: {usage: verdict}}})


@pytest.mark.parametrize(("index", "verdict"), list(enumerate(VERDICTS)))
def test_a_product_may_tighten_a_cell_and_never_loosen_one(index: int, verdict: str) -> None:
    """Against a cell that negotiates, review is looser and refused, anything tighter counts."""
    change = tightening("membership", "CANNOT_LOG_IN", "used", verdict)
    if index < VERDICTS.index("negotiate"):
        assert list(problems(change)) == ["tighter.membership.CANNOT_LOG_IN.used"]
        return
    changed = content()
    change(changed)

    policy = build(changed)

    assert policy.cell("CANNOT_LOG_IN", "membership", "used") == verdict
    assert policy.cell("CANNOT_LOG_IN", "software_account", "used") == "negotiate"
    assert policy.cell("CANNOT_LOG_IN", "membership", "unused") == "review"


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        (("car", "OTHER", "unused", "review"), "tighter.car"),
        (("gift_card", "BORED", "unused", "review"), "tighter.gift_card.BORED"),
        (("gift_card", "OTHER", "worn", "review"), "tighter.gift_card.OTHER.worn"),
        (("gift_card", "OTHER", "unused", "never"), "tighter.gift_card.OTHER.unused"),
        (("gift_card", "CANNOT_LOG_IN", "used", "not_accepted"), "tighter.gift_card.CANNOT_LOG_IN"),
    ],
)
def test_a_tightened_cell_must_exist(cell: tuple[str, str, str, str], key: str) -> None:
    """Product, reason, usage and verdict are known, and the product has the reason."""
    assert list(problems(tightening(*cell))) == [key]


def test_a_cell_of_a_reason_that_is_missing_cannot_be_compared() -> None:
    """The missing reason is the one problem."""

    def change(changed: Content) -> None:
        del changed["reasons"]["OTHER"]
        tightening("gift_card", "OTHER", "unused", "not_accepted")(changed)

    assert problems(change) == {"reasons.OTHER": "is missing"}


def test_all_problems_are_reported_at_once_with_file_key_and_what_is_allowed() -> None:
    """One reading is enough to know everything that must be corrected."""
    text = (
        default_text()
        .replace("claim_window_days = 7", "claim_window_days = -7")
        .replace('zone = "Asia/Shanghai"', 'zone = "Nowhere"')
        .replace("[channels.fake]", "[channels.false]")
    )

    with pytest.raises(PolicyInvalid) as caught:
        parse(text, "ours.toml")

    error = caught.value
    keys = {"claim_window_days", "zone", "channels.false", "channels.fake"}
    assert {problem.key for problem in error.problems} == keys
    assert "ours.toml: claim_window_days: is -7 (allowed: a whole number from 1 to 366)" in error.message
    assert error.as_json()["source"] == "ours.toml"


def test_what_is_no_toml_is_refused_with_the_place() -> None:
    """The message says at which line reading stopped."""
    with pytest.raises(PolicyInvalid, match=r"ours\.toml: .*line 1"):
        parse("zone = \n", "ours.toml")


@pytest.mark.parametrize("stored", ["", "{}", '{"zone": "UTC"}'])
def test_a_stored_content_that_is_no_policy_is_refused(stored: str) -> None:
    """What was damaged in the database does not become a policy."""
    with pytest.raises(PolicyInvalid):
        restore(stored)
