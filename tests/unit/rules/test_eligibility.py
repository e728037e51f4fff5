"""Eligibility: every cell of the table of the workflow, at submit and at the decision."""

from datetime import timedelta
from typing import Any

import pytest

from states import codes
from tests.unit.rules.story import BUYER, CHANNEL, MONDAY, SHOP, Story, agent

FAMILY = ("software_account", "software_licence", "membership", "virtual_hosting", "game_item", "other")
CODES = ("game_card", "gift_card", "software_licence", "membership")
FACE = ("game_card", "gift_card", "game_topup", "phone_topup")
ALL = codes.PRODUCT_TYPES
TABLE = {  # reason → products, cells for unused, activated, partly_used, used, unknown (as the workflow writes them)
    "WRONG_FACE_VALUE": (FACE, "review reject negotiate no review"),
    "RIGHTS_NOT_AS_DESCRIBED": (ALL, "review reject negotiate no review"),
    "WRONG_PRODUCT": (ALL, "review reject negotiate no review"),
    "CODE_INVALID": (CODES, "review review review review review"),
    "CODE_ALREADY_USED": (CODES, "review review review review review"),
    "CREDITED_WRONG_ACCOUNT": (ALL, "review review review review review"),
    "NOT_DELIVERED": (ALL, "review review negotiate no review"),
    "NOT_PROVISIONED": (ALL, "review review negotiate no review"),
    "CANNOT_LOG_IN": (FAMILY, "review review negotiate negotiate review"),
    "SERVICE_INTERRUPTED": (FAMILY, "review review negotiate negotiate review"),
    "MINOR_SPENDING": (ALL, "review review review review review"),
    "FRAUD": (ALL, "review review review review review"),
    "DUPLICATE_PAYMENT": (ALL, "review review review review review"),
    "PAYOUT_RETURNED": (ALL, "review review review review review"),
    "NO_LONGER_NEEDED": (ALL, "review reject no no review"),
    "OTHER": (ALL, "review reject negotiate no review"),
}
CELLS = [
    (reason, product, usage, cell if product in products else "unfit")
    for reason, (products, cells) in TABLE.items()
    if reason != "PAYOUT_RETURNED"  # claimed by a service after a late reversal only, below
    for product in codes.PRODUCT_TYPES
    for usage, cell in zip(codes.USAGES, cells.split(), strict=True)
]


def test_the_table_here_names_every_reason() -> None:
    """No reason is left out of the table that is tried cell by cell."""
    assert set(TABLE) == set(codes.REASONS)


@pytest.mark.parametrize(("reason", "product", "usage", "cell"), CELLS)
def test_every_cell_holds_at_submit_and_at_approval(reason: str, product: str, usage: str, cell: str) -> None:
    """A claim is opened, rejected at once, negotiated or not accepted as its cell says."""
    story = Story(product_type=product, usage=usage)

    story.submit(reason=reason, note="It does not work.")

    if cell in ("unfit", "no"):
        expected = "REASON_NOT_FOR_PRODUCT" if cell == "unfit" else "ALREADY_CONSUMED"
        assert story.codes == [expected]
        return
    assert story.state == ("rejected.appealable" if cell == "reject" else "submitted")
    if cell == "reject":
        assert story.case["rejection"]["grounds"] == ["ALREADY_ACTIVATED"]
        return
    story.must("begin_review", agent()).do("approve", agent())
    assert story.codes == (["PARTLY_USED"] if cell == "negotiate" else [])


@pytest.mark.parametrize("usage", codes.USAGES)
def test_a_returned_payout_is_reviewed_whatever_the_usage(usage: str) -> None:
    """The cell of PAYOUT_RETURNED is review for every usage."""
    story = Story().paid().must("confirm_receipt", BUYER).prove("late_reversal")

    story.do("usage_recorded", SHOP, usage=usage)
    story.must("submit", SHOP, reason="PAYOUT_RETURNED", returned="A1-1-1")

    assert story.state == "submitted"
    story.must("begin_review", agent()).must("approve", agent())


@pytest.mark.parametrize("event", ["approve", "offer", "overturn"])
def test_usage_is_read_again_when_it_is_decided(event: str) -> None:
    """What was unused at submit and is used up now cannot be paid, though the claim was opened."""
    story = (
        Story().appealed(reason="OTHER", note="No.")
        if event == "overturn"
        else Story().reviewing(reason="WRONG_PRODUCT")
    )

    story.must("usage_recorded", SHOP, usage="used").do(event, agent("wang"), amount=5000)

    assert story.codes == ["ALREADY_CONSUMED"]
    assert story.blockers["ALREADY_CONSUMED"].params == {"usage": "used"}


def test_activated_goods_cannot_be_approved_though_they_were_unused_at_submit() -> None:
    """The cell "reject" blocks the approval with its ground."""
    story = Story().reviewing(reason="WRONG_PRODUCT").must("usage_recorded", SHOP, usage="activated")

    assert story.do("approve", agent()).codes == ["ALREADY_ACTIVATED"]


def test_a_stated_ground_lifts_eligibility_in_the_appeal_and_nothing_else() -> None:
    """An overturn with a ground passes what usage says, not an open chargeback."""
    story = Story().appealed(reason="WRONG_PRODUCT").must("usage_recorded", SHOP, usage="activated")
    story.must("chargeback_opened", CHANNEL, chargeback="c1", amount=100)

    bare = story.do("overturn", agent("wang")).codes
    stated = story.do("overturn", agent("wang"), ground="The record was of another account.").codes

    assert bare == ["ALREADY_ACTIVATED", "CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert stated == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]


def test_a_claim_of_at_most_the_pro_rata_amount_is_not_partly_used() -> None:
    """Of 100.00 for 30 days with 15 left, 50.00 can be approved and 50.01 cannot."""
    valid: dict[str, Any] = {"valid_from": MONDAY - timedelta(days=15), "valid_to": MONDAY + timedelta(days=15)}

    for amount, blocked in ((5000, []), (5001, ["PARTLY_USED"])):
        story = Story(usage="partly_used", **valid).reviewing(amount=amount)
        assert story.do("approve", agent()).codes == blocked

    assert story.blockers["PARTLY_USED"].params["pro_rata_minor"] == 5000


def test_an_offer_of_a_part_is_open_where_the_whole_is_not() -> None:
    """Partly used goods are negotiated: the offer proposes the pro-rata amount to its reader."""
    valid: dict[str, Any] = {"valid_from": MONDAY - timedelta(days=15), "valid_to": MONDAY + timedelta(days=15)}
    story = Story(usage="partly_used", **valid).reviewing()

    story.must("offer", agent(), amount=6000)

    told = next(effect for effect in story.effects if effect.code == "OFFER_MADE")
    assert told.params["pro_rata_minor"] == 5000
    assert told.params["usage"] == "partly_used"


def test_a_compensation_alone_is_open_even_for_consumed_goods() -> None:
    """Without a refund part Eligibility is not asked."""
    story = Story().reviewing(reason="WRONG_PRODUCT").must("usage_recorded", SHOP, usage="used")

    story.must("offer", agent(), amount=0, compensation=500)

    assert story.state == "under_review.negotiating"
