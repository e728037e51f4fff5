"""Stories of claims and reviews: each reason, each answer of the reviewer, evidence, offers and appeals."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from refundflow.demo.market import CHEN, LIN, SHOP, TANG, WEN, ZHOU, Market, Story, file

REJECTION = "The records show that what was ordered was delivered."


def card_of_the_wrong_value(m: Market) -> Iterator[datetime]:
    """Approve a claim that brings what it needs; the buyer confirms the money."""
    yield m.on(2, "10:00")
    order = m.order("game_card", "Star Realm card 500", 50_000, days_ago=0.5)
    refund = m.submit(
        order, "WRONG_FACE_VALUE", note="The card shows 300, not 500.", evidence=[file("activation_record", "none")]
    )
    yield m.hours(1)
    m.act("begin_review", refund, LIN)
    m.act("assign", refund, LIN, to="zhou")
    yield m.hours(2)
    m.act("approve", refund, ZHOU)
    m.work()
    yield m.on(4, "12:00")
    m.act("confirm_receipt", refund)


def membership_half_used(m: Market) -> Iterator[datetime]:
    """Negotiate over a membership that was partly used: pro-rata offer, counter-offer, agreement."""
    yield m.on(3, "11:00")
    order = m.order("membership", "Music year pass", 36_000, usage="partly_used", valid_days=365, days_ago=3)
    refund = m.reviewed(order, "RIGHTS_NOT_AS_DESCRIBED")
    yield m.hours(3)
    m.refused("PARTLY_USED", "approve", refund, LIN)
    fair = m.refunds.check(order, reason="RIGHTS_NOT_AS_DESCRIBED", actor=LIN)[0].pro_rata_minor or 0
    m.act("offer", refund, LIN, amount=fair - 2_000, compensation=1_000, message="For the time not used.")
    yield m.hours(5)
    m.act("counter_offer", refund, amount=fair - 500, message="I could hardly use it.")
    yield m.hours(20)
    m.act("accept_offer", refund, ZHOU)
    m.work()


def wrong_licence(m: Market) -> Iterator[datetime]:
    """Decline an offer, and get the whole after all."""
    yield m.on(4, "09:30")
    order = m.order("software_licence", "Photo editor, 1 PC", 29_900, channel="stripe")
    refund = m.reviewed(order, "WRONG_PRODUCT", note="I ordered the Mac version.")
    yield m.hours(2)
    m.act("offer", refund, LIN, amount=20_000)
    yield m.hours(3)
    m.act("decline_offer", refund)
    m.act("note", refund, LIN, message="Called the supplier: their mistake.", contact="phone")
    yield m.hours(18)
    m.act("approve", refund, LIN)
    m.work()


def gift_code_invalid(m: Market) -> Iterator[datetime]:
    """Ask for evidence, get it, approve."""
    yield m.on(4, "14:00")
    order = m.order("gift_card", "Book shop gift card 200", 20_000, channel="wechat_pay")
    refund = m.reviewed(order, "CODE_INVALID")
    m.act("request_evidence", refund, LIN, kinds=["screenshot"], message="What does the shop show?")
    yield m.hours(20)
    m.refused("EVIDENCE_INCOMPLETE", "provide_evidence", refund, evidence=[file("chat_log", "shop: no such code")])
    m.act("provide_evidence", refund, evidence=[file("screenshot", "no such code")])
    yield m.hours(4)
    m.act("approve", refund, LIN)
    m.work()


def silence_on_a_used_code(m: Market) -> Iterator[datetime]:
    """Say nothing when asked: the claim lapses, and so does the appeal."""
    yield m.on(5, "10:00")
    order = m.order("game_card", "Dragon Age card 100", 10_000)
    refund = m.reviewed(order, "CODE_ALREADY_USED")
    m.act("request_evidence", refund, LIN, kinds=["activation_record"])
    yield m.on(12)


def account_that_cannot_log_in(m: Market) -> Iterator[datetime]:
    """Let an offer lapse; rejected; the appeal with a log is overturned by others."""
    yield m.on(5, "15:00")
    order = m.order("software_account", "Office account, 1 year", 48_000, usage="partly_used", days_ago=2)
    refund = m.reviewed(order, "CANNOT_LOG_IN")
    yield m.hours(6)
    m.act("offer", refund, LIN, amount=10_000)
    yield m.on(9, "10:00")
    m.act("reject", refund, LIN, grounds=["DELIVERY_PROVEN"], message=REJECTION)
    yield m.on(10, "09:00")
    m.act("appeal", refund, evidence=[file("login_log", "2026-03-05 denied"), file("screenshot", "denied")])
    m.refused("DECIDED_IN_REVIEW", "overturn", refund, LIN)
    yield m.on(11, "16:00")
    m.act("overturn", refund, WEN, message="The log shows that no login ever worked.")
    m.work()


def hosting_interrupted(m: Market) -> Iterator[datetime]:
    """Bargain twice: the counter-offer is declined, the second offer accepted."""
    yield m.on(6, "10:00")
    order = m.order("virtual_hosting", "Web space M, 3 months", 30_000, usage="partly_used", valid_days=90, days_ago=5)
    refund = m.reviewed(order, "SERVICE_INTERRUPTED")
    yield m.hours(3)
    m.act("offer", refund, ZHOU, amount=8_000)
    yield m.hours(2)
    m.act("counter_offer", refund, amount=30_000)
    m.refused("COUNTER_ALREADY_MADE", "counter_offer", refund, amount=29_000)
    yield m.hours(2)
    m.act("decline_offer", refund, ZHOU)
    m.act("offer", refund, ZHOU, amount=15_000, compensation=2_000)
    yield m.on(7, "09:00")
    m.act("accept_offer", refund, offer=3)
    m.work()


def a_minor_in_the_game(m: Market) -> Iterator[datetime]:
    """Ask twice, and decide on what the parents have."""
    yield m.on(7, "20:00")
    order = m.order("game_item", "Golden armour", 88_800, usage="used", days_ago=20)
    refund = m.reviewed(order, "MINOR_SPENDING", note="My son is eleven.")
    m.act("request_evidence", refund, LIN, kinds=["identity_proof", "guardianship_proof"])
    yield m.hours(10)
    m.act("extend", refund, CHEN, days=3, message="The family is travelling.")
    yield m.on(11, "10:00")
    m.act("provide_evidence", refund, evidence=[file("identity_proof", "born 2015")], all=True)
    m.act("add_evidence", refund, LIN, evidence=[file("payment_proof", "card of the mother")], audience="internal")
    yield m.hours(2)
    m.act("request_evidence", refund, LIN, kinds=["guardianship_proof"])
    yield m.hours(5)
    m.act("end_request", refund, LIN, message="The register answered us directly.")
    m.act("approve", refund, LIN)
    m.work()


def small_claim_left_lying(m: Market) -> Iterator[datetime]:
    """Leave a small claim until it is overdue: assisted review approves it."""
    yield m.on(9, "10:00")
    order = m.order("phone_topup", "Mobile top-up 30", 3_000, usage="used", channel="balance")
    m.reviewed(order, "DUPLICATE_PAYMENT")
    yield m.on(11, "00:30")
    m.work()


def change_of_mind(m: Market) -> Iterator[datetime]:
    """Reject a change of mind; the appeal brings only an argument and is upheld."""
    yield m.on(9, "16:00")
    order = m.order("gift_card", "Cinema gift card", 15_000)
    refund = m.reviewed(order, "NO_LONGER_NEEDED")
    yield m.hours(1)
    m.act("reject", refund, ZHOU, grounds=["BUYER_INPUT_ERROR"], message="The card can be used for two years.")
    yield m.hours(20)
    m.refused("NO_NEW_GROUND", "appeal", refund)
    m.act("appeal", refund, message="My friend has moved away and no cinema there takes it.")
    yield m.hours(24)
    m.act("uphold", refund, TANG, grounds=["NO_NEW_GROUND"], message="The card is valid in 400 cinemas.")


def withdrawn_soon(m: Market) -> Iterator[datetime]:
    """Withdraw: the code had been in the spam folder."""
    yield m.on(10, "11:00")
    order = m.order("other", "Horoscope of the year", 6_600)
    refund = m.submit(order, "OTHER", note="Never got it.")
    yield m.hours(1)
    m.act("withdraw", refund, message="Found it in the spam folder.")


def too_late(m: Market) -> Iterator[datetime]:
    """Claim after the window: rejected at once, and the appeal window closes."""
    yield m.on(10, "15:00")
    order = m.order("game_item", "Silver sword", 12_000, days_ago=12)
    m.submit(order, "CANNOT_LOG_IN")
    yield m.on(15)


def activated_already(m: Market) -> Iterator[datetime]:
    """Reject an activated membership at once; nobody decides the appeal in time, then it is upheld."""
    yield m.on(11, "10:00")
    order = m.order("membership", "Video month pass", 2_500, usage="activated")
    refund = m.submit(order, "NO_LONGER_NEEDED")
    yield m.hours(30)
    m.act("appeal", refund, message="It was activated by my little sister, not by me.")
    yield m.on(18, "11:00")
    m.act("uphold", refund, WEN, grounds=["ALREADY_ACTIVATED"], message="Films were watched on three evenings.")


def a_voucher_will_do(m: Market) -> Iterator[datetime]:
    """Compensate without paying back; receipt is assumed."""
    yield m.on(12, "10:00")
    order = m.order("game_topup", "Coins 648", 64_800, channel="wechat_pay")
    refund = m.reviewed(order, "WRONG_FACE_VALUE", amount=10_000)
    m.act("offer", refund, LIN, amount=0, compensation=1_500, message="A voucher for the delay.")
    yield m.hours(2)
    m.act("accept_offer", refund)


def used_meanwhile(m: Market) -> Iterator[datetime]:
    """Use the goods while an offer stands: the promise falls, and the claim is rejected."""
    yield m.on(12, "14:00")
    order = m.order("software_licence", "Antivirus year", 19_900)
    refund = m.reviewed(order, "RIGHTS_NOT_AS_DESCRIBED")
    m.act("offer", refund, LIN, amount=15_000)
    yield m.hours(3)
    m.line("record_usage", order, usage="used")
    m.refused("USAGE_CHANGED", "accept_offer", refund)
    yield m.on(15, "09:00")
    m.act("reject", refund, LIN, grounds=["ALREADY_CONSUMED"], message="The licence was activated on 12 March.")


def three_claims_of_one_buyer(m: Market) -> Iterator[datetime]:
    """Claim often: the third claim in a month gets a risk flag."""
    yield m.on(16, "10:00")
    buyer = m.new_buyer()
    for number in range(3):
        order = m.order("phone_topup", "Mobile top-up 50", 4_900, buyer=buyer, channel="wechat_pay")
        refund = m.reviewed(order, "NOT_DELIVERED", evidence=[file("screenshot", f"balance {number}")])
        yield m.hours(3)
    m.act("flag_risk", refund, LIN, flag="SAME_SCREENSHOT")
    m.act("reject", refund, LIN, grounds=["ABUSE_SUSPECTED"], message="All three numbers were topped up.")
    m.act("note", refund, SHOP, message="The three numbers belong to one person.", audience="internal")


def asked_again_in_the_appeal(m: Market) -> Iterator[datetime]:
    """Ask for evidence in an appeal; silence there closes it."""
    yield m.on(17, "10:00")
    order = m.order("software_account", "Cloud drive account", 23_000, usage="unknown")
    refund = m.reviewed(order, "CANNOT_LOG_IN")
    yield m.hours(4)
    m.act("reject", refund, LIN, grounds=["EVIDENCE_MISSING"], message="There is no trace of a failed login.")
    yield m.hours(4)
    m.act("appeal", refund, message="I tried for two evenings, with two computers.")
    yield m.hours(16)
    m.act("request_evidence", refund, WEN, kinds=["login_log"])
    yield m.on(23)


def told_in_pieces(m: Market) -> Iterator[datetime]:
    """Learn about an order bit by bit: paid, completed, for how long; then a part is claimed."""
    yield m.on(23, "10:00")
    order = m.order("membership", "Gym videos, 30 days", 9_000, days_ago=None, paid=False)
    m.told(order, paid_at=m.now)
    yield m.hours(2)
    m.told(order, completed_at=m.now, valid_from=m.now, valid_to=m.now + timedelta(days=30))
    yield m.on(26, "10:00")
    m.told(order, usage="partly_used")
    refund = m.reviewed(order, "SERVICE_INTERRUPTED", amount=3_000, evidence=[file("screenshot", "black picture")])
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()


STORIES: tuple[Story, ...] = (
    card_of_the_wrong_value,
    membership_half_used,
    wrong_licence,
    gift_code_invalid,
    silence_on_a_used_code,
    account_that_cannot_log_in,
    hosting_interrupted,
    a_minor_in_the_game,
    small_claim_left_lying,
    change_of_mind,
    withdrawn_soon,
    too_late,
    activated_already,
    a_voucher_will_do,
    used_meanwhile,
    three_claims_of_one_buyer,
    asked_again_in_the_appeal,
    told_in_pieces,
)
