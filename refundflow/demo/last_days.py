"""What is still open when the demo ends, and the ordinary claims that fill the month."""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from refundflow.demo.market import LIN, ZHOU, Market, Story, file

# What people buy and complain about when nothing special happens: type, product, price, reason, usage.
GOODS = (
    ("game_card", "Star Realm card 100", 10_000, "WRONG_FACE_VALUE", "unused"),
    ("game_item", "Speed boots", 6_800, "CANNOT_LOG_IN", "unused"),
    ("game_topup", "Coins 328", 32_800, "CREDITED_WRONG_ACCOUNT", "used"),
    ("membership", "Music month pass", 1_500, "CODE_INVALID", "unused"),
    ("membership", "Video year pass", 24_800, "RIGHTS_NOT_AS_DESCRIBED", "unused"),
    ("software_licence", "Backup tool", 16_800, "CODE_ALREADY_USED", "unused"),
    ("software_account", "Design account", 39_900, "SERVICE_INTERRUPTED", "activated"),
    ("virtual_hosting", "Web space S", 9_900, "NOT_PROVISIONED", "unused"),
    ("phone_topup", "Mobile top-up 50", 4_900, "NOT_DELIVERED", "unknown"),
    ("gift_card", "Supermarket card", 50_000, "CODE_INVALID", "activated"),
    ("other", "Lottery of names", 990, "DUPLICATE_PAYMENT", "used"),
    ("other", "E-book", 2_900, "NO_LONGER_NEEDED", "unused"),
)
CHANNELS = ("alipay", "alipay", "wechat_pay", "wechat_pay", "stripe", "balance")


def ordinary(seed: int, number: int) -> Story:
    """Make an ordinary claim: it follows from the seed and its number alone."""

    def story(m: Market) -> Iterator[datetime]:
        dice = Random(f"{seed}/{number}")
        product_type, product, price, reason, usage = dice.choice(GOODS)
        yield m.on(dice.randint(2, 25), f"{dice.randint(8, 21)}:{dice.randint(0, 59)}")
        order = m.order(
            product_type, product, price, usage=usage, channel=dice.choice(CHANNELS), days_ago=dice.uniform(0, 5)
        )
        refund = m.submit(order, reason)
        yield m.hours(dice.uniform(0.5, 6))
        m.act("begin_review", refund, dice.choice((LIN, ZHOU)))
        yield m.hours(dice.uniform(0.5, 12))
        match dice.choices(("approve", "reject", "withdraw", "offer"), (6, 2, 1, 1))[0]:
            case "approve":
                m.act("approve", refund, ZHOU)
                m.work()
                yield m.hours(dice.uniform(10, 100))
                if dice.random() < 0.5:
                    m.act("confirm_receipt", refund)
            case "reject":
                m.act(
                    "reject",
                    refund,
                    LIN,
                    grounds=["DELIVERY_PROVEN"],
                    message="It was delivered and works.",
                )
            case "withdraw":
                m.act("withdraw", refund, message="It works now.")
            case _:
                m.act("offer", refund, LIN, amount=price // 2, message="Half of it, at once.")
                yield m.hours(dice.uniform(1, 30))
                m.act("accept_offer", refund)
                m.work()

    return story


def the_systems_work(m: Market) -> Iterator[datetime]:
    """Let the system do what it owes, four times a day."""
    for day in range(2, 32):
        for clock in ("00:30", "08:30", "13:30", "19:30"):
            yield m.on(day, clock)
            m.work()


def left_lying(m: Market) -> Iterator[datetime]:
    """Leave a review until it is overdue and on hold."""
    yield m.on(26, "10:00")
    order = m.order("game_card", "Dragon Age card 500", 49_000)
    m.reviewed(order, "CODE_INVALID", note="The shop says: code unknown.")


def due_today(m: Market) -> Iterator[datetime]:
    """Have a review that must be decided today."""
    yield m.on(27, "15:00")
    order = m.order("membership", "Film quarter pass", 8_900)
    refund = m.reviewed(order, "RIGHTS_NOT_AS_DESCRIBED", note="No films in 4K.")
    m.act("assign", refund, LIN, to="lin")


def asked_the_buyer(m: Market) -> Iterator[datetime]:
    """Wait for the buyer's evidence."""
    yield m.on(30, "11:00")
    order = m.order("software_account", "Mail account, 5 users", 36_000)
    refund = m.reviewed(order, "CANNOT_LOG_IN")
    m.act("request_evidence", refund, LIN, kinds=["login_log"], message="Please send the log of the last three days.")


def offered_the_buyer(m: Market) -> Iterator[datetime]:
    """Wait for the buyer's answer to an offer."""
    yield m.on(30, "14:00")
    order = m.order("virtual_hosting", "Web space L, 1 year", 72_000, usage="partly_used", valid_days=365, days_ago=6)
    refund = m.reviewed(order, "SERVICE_INTERRUPTED", evidence=[file("screenshot", "timeouts on six evenings")])
    m.act("offer", refund, ZHOU, amount=60_000, compensation=1_000, message="For the time not used, and a voucher.")


def clear_appeal(m: Market) -> Iterator[datetime]:
    """Appeal with the very record that was missing."""
    yield m.on(27, "10:00")
    order = m.order("game_card", "Star Realm card 300", 30_000)
    refund = m.reviewed(order, "CODE_ALREADY_USED")
    yield m.hours(3)
    m.act("reject", refund, LIN, grounds=["EVIDENCE_MISSING"], message="There is no activation record.")
    yield m.on(30, "10:00")
    m.act("appeal", refund, evidence=[file("activation_record", "activated 25 March by account 77, not mine")])


def failed_payout(m: Market) -> Iterator[datetime]:
    """Fail to pay: the channel says that this number will never pay."""
    yield m.on(30, "09:00")
    order = m.order("game_topup", "Coins 1280", 128_00, channel="wechat_pay")
    m.script(order, "refuse_void", "settle")
    refund = m.reviewed(order, "WRONG_FACE_VALUE", evidence=[file("topup_record", "648 instead of 1280")])
    yield m.hours(5)
    m.act("approve", refund, LIN)
    m.work()


def can_be_appealed(m: Market) -> Iterator[datetime]:
    """Be rejected, with the appeal window open."""
    yield m.on(30, "10:30")
    order = m.order("other", "Wallpaper pack", 4_500)
    refund = m.reviewed(order, "NO_LONGER_NEEDED")
    yield m.hours(4)
    m.act("reject", refund, ZHOU, grounds=["DELIVERY_PROVEN"], message="The pack was downloaded twice.")


def just_in(m: Market) -> Iterator[datetime]:
    """Come in this morning."""
    yield m.on(31, "09:10")
    order = m.order("phone_topup", "Mobile top-up 100", 10_000, channel="wechat_pay")
    m.submit(order, "NOT_DELIVERED", note="Nothing has arrived.")


STORIES: tuple[Story, ...] = (
    the_systems_work,
    left_lying,
    due_today,
    asked_the_buyer,
    offered_the_buyer,
    clear_appeal,
    failed_payout,
    can_be_appealed,
    just_in,
)
