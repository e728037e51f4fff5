"""A walk with a channel that tells the truth, late, twice and in any order: nobody is paid twice, nothing is lost."""

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from states.case import Actor, Case
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, finance, supervisor

CAPTURED = 9000
PICK = st.integers(min_value=0, max_value=11)
HOW = [["pays"], ["pays", "comes back"], ["comes back"], ["fails"], ["fails", "pays"], ["dies"]]


@dataclass
class Payment:
    """What the channel knows of one number: it pays at most once, never after it said that it will not."""

    refund: str
    amount: int
    by_hand: bool  # finance transfers it, and a transfer that failed is never made under the same number
    paid: bool = False
    back: bool = False
    dead: bool = False


class ChannelWalk(RuleBasedStateMachine):
    """Everybody does what he may; the channel's messages arrive whenever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(captured=CAPTURED)
        self.payments: dict[str, Payment] = {}
        self.mail: list[tuple[str, str, bool]] = []  # what happened, the number, whether it is void

    @initialize(amount=st.sampled_from([9000, 4000]))
    def start(self, amount: int) -> None:
        """Begin with a payout in flight."""
        self.claim(amount)
        self.act("dispatch_payout", SYSTEM, 0)

    def claim(self, amount: int) -> None:
        """Claim, and approve the claim."""
        if not self.story.submit(reason="CREDITED_WRONG_ACCOUNT", amount=amount).codes:
            self.story.do("begin_review", agent("li")).do("approve", agent("li"))

    @rule(pick=PICK, event=st.sampled_from(["retry_payout", "reroute_payout", "pay_manually", "revoke_approval"]))
    def pay(self, pick: int, event: str) -> None:
        """Let the system send what is payable, and somebody find a way for what failed."""
        self.void(pick)
        if event == "revoke_approval":
            self.act(event, supervisor("zhao"), pick)
            self.act("approve", agent("wang"), pick)
        elif event == "retry_payout":
            self.act(event, SYSTEM, pick)
        else:
            self.act(event, finance("fang"), pick, channel="fake")
            self.act(event, finance("gao"), pick, channel="fake")
        self.act("dispatch_payout", SYSTEM, pick)

    @rule(pick=PICK, hours=st.sampled_from([1, 24, 24 * 9]), amount=st.sampled_from([9000, 5000, 500]))
    def go_on(self, pick: int, hours: int, amount: int) -> None:
        """Let time pass, the buyer end or claim, the shop claim anew what came back after the end."""
        match pick % 4:
            case 0:
                self.story.at(hours=hours).sweep()
            case 1:
                self.act("confirm_receipt", BUYER, pick)
                self.act("withdraw", BUYER, pick)
            case 2:
                self.claim(amount)
            case _ if "late_reversal" in self.case(pick):
                amount = self.case(pick)["late_reversal"]["amount"]
                self.story.submit(SHOP, reason="PAYOUT_RETURNED", returned=self.case(pick)["id"], amount=amount)
                self.act("begin_review", agent("li"), -1)
                self.act("approve", agent("li"), -1)

    @rule(picks=st.lists(PICK, min_size=1, max_size=4), how=st.sampled_from(HOW))
    def channel_moves(self, picks: list[int], how: list[str]) -> None:
        """Let something happen at the channel, which will tell it some time."""
        number = list(self.payments)[-1 - picks[0] % 7 % len(self.payments)]
        payment = self.payments[number]
        for each in how:
            if each == "comes back" and payment.paid and not payment.back:
                payment.back = True
                self.mail.append(("payout_reversed", number, True))
            elif each == "pays" and not payment.paid and not payment.dead:
                payment.paid = True
                self.mail.append(("payout_settled", number, False))
            elif each in ("fails", "dies") and not payment.paid:
                payment.dead = payment.dead or each == "dies" or payment.by_hand
                self.mail.append(("payout_refused", number, payment.dead))
        for pick in picks[1:]:
            self.deliver(pick)

    def deliver(self, pick: int) -> None:
        """Deliver one of the messages, perhaps not for the last time."""
        if self.mail:
            index = pick % len(self.mail)
            self.tell(*self.mail[index])
            if pick % 3:
                del self.mail[index]

    def void(self, pick: int) -> None:
        """Let finance read in the channel's bill that a number will never pay, or that it came back."""
        number = list(self.payments)[pick % len(self.payments)]
        payment = self.payments[number]
        if payment.dead or payment.back:
            self.story.do("void_attempt", finance("fang"), refund=payment.refund, number=number, proof="bill")

    def tell(self, event: str, number: str, void: bool) -> None:
        """Tell one message as the machinery does: by the state in which the refund is."""
        payment = self.payments[number]
        story = self.story.sweep()
        params: dict[str, Any] = {"number": number, "proof": f"{event}-{number}"}
        if event == "payout_refused":
            story.do(event, CHANNEL, refund=payment.refund, void=void, **params)
            if story.answer.refusal and void:
                story.do("void_attempt", CHANNEL, refund=payment.refund, **params)
            return
        state = story.aggregate.refunds[payment.refund]["state"]
        if (event, state) == ("payout_reversed", "paid_out.confirmed"):
            event = "late_reversal"
        story.do(event, CHANNEL, refund=payment.refund, amount=payment.amount, currency="CNY", **params)
        assert story.answer.refusal is None

    def act(self, event: str, actor: Actor, pick: int, **params: Any) -> None:
        """Let somebody act on a refund, if it is possible; a number in flight is known to the channel."""
        case = self.case(pick)
        self.story.do(event, actor, refund=case["id"], message="because", **params)
        for number, item in self.story.aggregate.refunds[case["id"]]["attempts"].items():
            self.payments.setdefault(number, Payment(case["id"], item["amount"], item["channel"] == "bank_manual"))

    def case(self, pick: int) -> Case:
        """Return one of the refunds."""
        refunds = list(self.story.aggregate.refunds.values())
        return refunds[pick % len(refunds)]

    @property
    def out(self) -> int:
        """Return what has really left."""
        return sum(item.amount for item in self.payments.values() if item.paid and not item.back)

    @invariant()
    def nobody_is_paid_more_than_was_captured(self) -> None:
        """Whatever was told or not told yet, what really left is at most what the line had."""
        assert self.out <= CAPTURED

    def teardown(self) -> None:
        """Deliver what is still under way: the rules count exactly what really left."""
        for message in self.mail:
            self.tell(*message)
        assert self.story.ledger.settled == self.out
        assert self.story.ledger.excess == 0


ChannelWalk.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestChannelWalk = ChannelWalk.TestCase
