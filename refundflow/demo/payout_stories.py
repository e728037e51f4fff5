"""Stories of money: two persons, every way in which a channel answers, enquiries, returns, chargebacks."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from refundflow.demo.market import CHEN, LIN, QIAN, SHOP, SUN, ZHOU, Market, Story, file


def two_persons(m: Market) -> Iterator[datetime]:
    """Approve much money by two: the first takes it back to ask, then both agree."""
    yield m.on(2, "15:00")
    order = m.order("game_topup", "Coins 6480 x 3", 194_400, channel="wechat_pay")
    refund = m.reviewed(
        order, "CREDITED_WRONG_ACCOUNT", evidence=[file("topup_record", "account 1234 instead of 1243")]
    )
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.refused("SECOND_PERSON_NEEDED", "approve", refund, LIN)
    m.act("take_back", refund, LIN, event="approve")
    yield m.hours(3)
    m.both("approve", refund, LIN, ZHOU)
    m.work()


def never_delivered(m: Market) -> Iterator[datetime]:
    """Refund an order that never completed; the channel takes its time."""
    yield m.on(3, "09:00")
    order = m.order("phone_topup", "Mobile top-up 100", 9_980, days_ago=None, channel="wechat_pay")
    m.script(order, "pending_then_settle", after=timedelta(hours=5))
    refund = m.reviewed(order, "NOT_DELIVERED")
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(2)
    m.line("record_completed", order, completed_at=m.now)


def no_answer_but_paid(m: Market) -> Iterator[datetime]:
    """Get no answer from the channel, ask again, and find that it paid."""
    yield m.on(4, "10:00")
    order = m.order("virtual_hosting", "Server S, 1 month", 25_000, channel="stripe", usage="activated")
    m.script(order, "timeout_done", after=timedelta(minutes=10))
    refund = m.reviewed(order, "NOT_PROVISIONED", evidence=[file("provisioning_record", "queued for 9 days")])
    yield m.hours(5)
    m.act("approve", refund, ZHOU)
    m.work()
    for _ in range(4):
        yield m.hours(0.3)
        m.work()


def no_answer_and_not_paid(m: Market) -> Iterator[datetime]:
    """Get no answer, find that nothing was done, and send the same number again."""
    yield m.on(5, "10:00")
    order = m.order("game_item", "Phoenix wings", 32_800)
    m.script(order, "timeout_not_done", after=timedelta(minutes=2))
    refund = m.reviewed(order, "NOT_DELIVERED")
    yield m.hours(1)
    m.act("approve", refund, LIN)
    m.work()
    for _ in range(3):
        yield m.hours(0.2)
        m.work()


def told_twice(m: Market) -> Iterator[datetime]:
    """Be told of one payment twice: the second time adds nothing."""
    yield m.on(5, "12:00")
    order = m.order("gift_card", "Coffee card", 8_800)
    m.script(order, "duplicate_notification")
    refund = m.reviewed(order, "CODE_ALREADY_USED")
    yield m.hours(1)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(30)
    m.act("raise_enquiry", refund, message="My card statement shows nothing.")
    yield m.hours(0.5)
    m.act("answer_enquiry", refund, LIN, answer="ARRIVED_PER_CHANNEL", message="It went to your second card.")


def fraud_with_chargeback(m: Market) -> Iterator[datetime]:
    """Wait with the payout while the bank asks for the same money; the chargeback is won."""
    yield m.on(6, "14:00")
    order = m.order("other", "Concert stream", 128_000, channel="stripe", usage="used", days_ago=3)
    refund = m.reviewed(order, "FRAUD", evidence=[file("statement", "I never bought this.")])
    m.act("flag_risk", refund, LIN, flag="STOLEN_CARD")
    yield m.hours(2)
    m.both("approve", refund, LIN, ZHOU)
    m.line("chargeback_opened", order, QIAN, chargeback="CB-7", amount=128_000)
    m.work()
    yield m.on(8, "10:00")
    m.line("chargeback_closed", order, QIAN, chargeback="CB-7", amount=128_000, outcome="won")
    m.work()


def returned_and_rerouted(m: Market) -> Iterator[datetime]:
    """See the money come back a day later, and pay it by another way."""
    yield m.on(9, "11:00")
    order = m.order("software_licence", "Dictionary, lifetime", 45_000)
    m.script(order, "reverse", after=timedelta(hours=26))
    refund = m.reviewed(order, "CODE_INVALID")
    yield m.hours(3)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(30)
    m.work()
    m.both("reroute_payout", refund, QIAN, SUN, channel="balance", message="The card was closed.")
    m.work()


def paid_by_hand(m: Market) -> Iterator[datetime]:
    """Pay by bank when the channel says never; the proof is confirmed by two."""
    yield m.on(10, "10:00")
    order = m.order("membership", "Sports year pass", 59_900)
    m.script(order, "refuse_void")
    refund = m.reviewed(order, "NOT_PROVISIONED")
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(2)
    m.refused("NUMBER_VOID", "retry_payout", refund, QIAN)
    m.both("pay_manually", refund, QIAN, SUN, message="By bank transfer to the account of the order.")
    yield m.hours(20)
    proof = {"number": m.number(refund), "amount": 59_900, "currency": "CNY", "proof": "bank-2026-0311-17"}
    m.both("payout_settled", refund, QIAN, SUN, **proof)


def approval_revoked(m: Market) -> Iterator[datetime]:
    """Find out before the money leaves: the number is void, the approval is revoked, the claim rejected."""
    yield m.on(11, "14:00")
    order = m.order("software_account", "Game account level 80", 66_000)
    m.script(order, "refuse")
    refund = m.reviewed(order, "WRONG_PRODUCT", evidence=[file("login_log", "no login")])
    yield m.hours(3)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(1)
    m.work()
    yield m.hours(1)
    m.refused("NUMBER_NOT_VOID", "revoke_approval", refund, CHEN, message="The account is in use.")
    m.act("void_attempt", refund, QIAN, number=m.number(refund), proof="channel letter 88")
    m.act("revoke_approval", refund, CHEN, message="The account is in use.")
    yield m.hours(2)
    m.act("reject", refund, ZHOU, grounds=["EVIDENCE_INCONSISTENT"], message="The account was played yesterday.")


def where_is_my_money(m: Market) -> Iterator[datetime]:
    """Break the promise of 24 hours: enquiry, late answer, finance finds the payment in the bank's book."""
    yield m.on(12, "09:00")
    order = m.order("game_card", "Star Realm card 1000", 98_000, usage="activated", channel="wechat_pay")
    m.script(order, "timeout_for_ever")
    refund = m.reviewed(order, "CODE_ALREADY_USED", evidence=[file("activation_record", "used by another account")])
    yield m.hours(3)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(5)
    m.refused("PROMISE_NOT_BROKEN", "raise_enquiry", refund)
    yield m.hours(21)
    m.act("raise_enquiry", refund, message="Where is my money?")
    yield m.hours(3)
    m.act("answer_enquiry", refund, LIN, answer="CHANNEL_PROCESSING")
    yield m.on(16, "11:00")
    m.work()
    proof = {"number": m.number(refund), "amount": 98_000, "currency": "CNY", "proof": "wechat-book-0312"}
    m.act("payout_settled", refund, QIAN, **proof)
    m.refused("PROOF_PENDING", "payout_refused", refund, QIAN, number=m.number(refund), proof="none")
    yield m.hours(1)
    m.act("payout_settled", refund, SUN, **proof)


def paid_twice(m: Market) -> Iterator[datetime]:
    """Be paid twice by the channel's mistake: the second payment is excess until it is returned."""
    yield m.on(13, "10:00")
    order = m.order("game_topup", "Gems 980", 96_000)
    m.script(order, "refuse_void_but_pays", after=timedelta(hours=30))
    refund = m.reviewed(order, "NOT_DELIVERED", evidence=[file("topup_record", "nothing")])
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(2)
    m.both("reroute_payout", refund, QIAN, SUN, channel="balance", message="The channel will not pay it.")
    m.work()
    yield m.hours(30)
    m.work()
    yield m.on(17, "10:00")
    for person in (QIAN, SUN):
        m.line("excess_resolved", order, person, amount=96_000, how="returned", proof="buyer-transfer-5")


def returned_after_the_end(m: Market) -> Iterator[datetime]:
    """See the money come back after the end: the shop claims anew for it."""
    yield m.on(5, "16:00")
    order = m.order("gift_card", "Toy shop card", 30_000, channel="stripe")
    m.script(order, "reverse", "settle", after=timedelta(days=10))
    refund = m.reviewed(order, "CODE_INVALID")
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()
    yield m.on(17, "10:00")
    m.work()
    again = m.submit(order, "PAYOUT_RETURNED", actor=SHOP, returned=refund, amount=30_000)
    m.act("begin_review", again, LIN)
    yield m.hours(2)
    m.act("approve", again, LIN)
    m.work()


def wrong_amount_paid(m: Market) -> Iterator[datetime]:
    """Keep a proof that does not match; finance settles it when the channel has put it right."""
    yield m.on(18, "10:00")
    order = m.order("phone_topup", "Mobile top-up 200", 20_000)
    m.script(order, "wrong_amount")
    refund = m.reviewed(order, "WRONG_FACE_VALUE", evidence=[file("topup_record", "100")])
    yield m.hours(2)
    m.act("approve", refund, ZHOU)
    m.work()
    yield m.hours(4)
    proof = {"number": m.number(refund), "amount": 20_000, "currency": "CNY", "proof": "alipay-letter-3"}
    m.both("payout_settled", refund, QIAN, SUN, **proof)


def part_by_part(m: Market) -> Iterator[datetime]:
    """Claim one line in two parts, the second after a part of it was charged back."""
    yield m.on(19, "10:00")
    order = m.order("other", "Course of 10 lessons", 100_000, channel="stripe")
    first = m.reviewed(order, "OTHER", amount=30_000, note="Three lessons fell out.")
    yield m.hours(2)
    m.act("approve", first, LIN)
    m.work()
    yield m.hours(3)
    m.line("chargeback_opened", order, QIAN, chargeback="CB-9", amount=20_000)
    yield m.hours(40)
    m.line("chargeback_closed", order, QIAN, chargeback="CB-9", amount=20_000, outcome="lost")
    second = m.reviewed(order, "WRONG_PRODUCT", amount=50_000)
    yield m.hours(2)
    m.act("approve", second, LIN)
    m.work()


def charged_less_afterwards(m: Market) -> Iterator[datetime]:
    """Lower what was captured after it was paid back: the difference is written off."""
    yield m.on(20, "10:00")
    order = m.order("virtual_hosting", "Domain bundle", 12_000)
    refund = m.reviewed(order, "NO_LONGER_NEEDED", evidence=[file("provisioning_record", "none")])
    yield m.hours(2)
    m.act("approve", refund, LIN)
    m.work()
    yield m.hours(30)
    m.line("record_captured", order, amount=11_000)
    for person in (QIAN, SUN):
        m.line("excess_resolved", order, person, amount=1_000, how="written_off", proof="memo-12")


def counter_offer_by_two(m: Market) -> Iterator[datetime]:
    """Offer and agree on much money: both need two persons."""
    yield m.on(20, "15:00")
    order = m.order("virtual_hosting", "Server XL, 1 year", 480_000, usage="partly_used", valid_days=365, days_ago=4)
    refund = m.reviewed(order, "SERVICE_INTERRUPTED", evidence=[file("screenshot", "502")])
    yield m.hours(1)
    m.both("offer", refund, LIN, ZHOU, amount=200_000, message="For five months.")
    yield m.hours(3)
    m.act("counter_offer", refund, amount=240_000)
    yield m.on(21, "10:00")
    m.both("accept_offer", refund, LIN, ZHOU)
    m.work()
    yield m.on(24, "10:00")
    m.act("confirm_receipt", refund)


STORIES: tuple[Story, ...] = (
    two_persons,
    never_delivered,
    no_answer_but_paid,
    no_answer_and_not_paid,
    told_twice,
    fraud_with_chargeback,
    returned_and_rerouted,
    paid_by_hand,
    approval_revoked,
    where_is_my_money,
    paid_twice,
    returned_after_the_end,
    wrong_amount_paid,
    part_by_part,
    charged_less_afterwards,
    counter_offer_by_two,
)
