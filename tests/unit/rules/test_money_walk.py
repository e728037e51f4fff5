"""A random walk over the money of one line: payouts, proofs in any order, chargebacks, several refunds."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from states.case import Actor, Case, Ledger
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, finance, supervisor

OUTSIDE = {"payout_settled", "payout_reversed", "late_reversal", "captured", "stray_payment", "stray_payment_returned"}
PROOFS = st.sampled_from(["payout_settled", "payout_settled", "payout_reversed", "late_reversal"])
PICK = st.integers(min_value=0, max_value=11)
AMOUNT = st.integers(min_value=1, max_value=12) | st.integers(min_value=1, max_value=9000)
OUTCOMES = st.sampled_from([["open", "won"], ["open"], ["won"], ["won", "open"], ["lost"], ["open", "lost"]])
TELLER: st.SearchStrategy[Actor] = st.sampled_from([CHANNEL, finance("fang"), finance("gao")])


class MoneyWalk(RuleBasedStateMachine):
    """Anybody tells anything about the money; what was really paid is counted beside the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(captured=9000)
        self.seen = 0  # entries checked so far
        self.paid: dict[str, int] = {}  # numbers whose payment was told and has not come back → amount
        self.back: set[str] = set()  # numbers whose return was told
        self.by_hand = 0  # returned by the buyer beside any number
        self.by_hand_of_strays = 0  # of it: what the channel may still tell as the return of a stray payment

    def act(self, event: str, actor: Actor, pick: int = 0, **params: Any) -> None:
        """Let somebody act on one of the refunds; most acts are refused, none may break the money."""
        refunds = list(self.story.aggregate.refunds)
        if refunds:
            self.story.do(event, actor, refund=refunds[pick % len(refunds)], message="because", **params)

    def case(self, pick: int) -> Case:
        """Return one of the refunds."""
        refunds = list(self.story.aggregate.refunds.values())
        return refunds[pick % len(refunds)]

    @rule(amount=AMOUNT, reason=st.sampled_from(["CREDITED_WRONG_ACCOUNT", "FRAUD", "DUPLICATE_PAYMENT"]))
    def submit(self, amount: int, reason: str) -> None:
        """Claim an amount."""
        self.story.submit(reason=reason, amount=amount)
        self.begin()

    @rule(pick=PICK)
    def submit_what_came_back(self, pick: int) -> None:
        """Claim anew what came back after the end."""
        if self.story.aggregate.refunds:
            case = self.case(pick)
            amount = case.get("late_reversal", {}).get("amount", 1)
            self.story.submit(SHOP, reason="PAYOUT_RETURNED", returned=case["id"], amount=amount)
            self.begin()

    @initialize(amount=st.sampled_from([9000, 4000, 500]), steps=st.integers(min_value=2, max_value=4))
    def start(self, amount: int, steps: int) -> None:
        """Begin with a claim that is on its way."""
        self.submit(amount, "CREDITED_WRONG_ACCOUNT")
        self.advance([0] * steps)

    @precondition(lambda self: self.story.aggregate.refunds)
    @rule(picks=st.lists(PICK, min_size=1, max_size=5))
    def advance(self, picks: list[int]) -> None:
        """Let everybody do what is expected of him."""
        for pick in picks:
            match self.case(-1 - pick // 6)["state"]:
                case "approved.payable":
                    self.act("dispatch_payout", SYSTEM, -1 - pick // 6)
                case "approved.paying":
                    self.prove(-1, -1, "payout_settled", CHANNEL, 1)
                case "approved.payout_failed":
                    self.repair(-1 - pick // 6, "retry_payout" if pick % 2 else "reroute_payout")
                case "paid_out.settled" if pick == 5:
                    self.prove(-1, -1, "payout_reversed", CHANNEL, 1)
                case "paid_out.settled" if pick == 4:
                    self.end(-1 - pick // 6, "confirm_receipt")
                case "paid_out.confirmed" if pick == 5:
                    self.prove(-1, -1, "late_reversal", CHANNEL, 1)
                    self.submit_what_came_back(-1)
                case _:
                    self.act("approve", agent("li"), -1 - pick // 6)

    def begin(self) -> None:
        """Begin the review of the claim that was just made, if it was taken."""
        if not self.story.codes:
            self.story.do("begin_review", agent("li"))

    @rule(
        pick=PICK, part=AMOUNT, event=st.sampled_from(["approve", "approve", "offer", "reject", "appeal", "overturn"])
    )
    def decide(self, pick: int, part: int, event: str) -> None:
        """Decide, or let the buyer answer."""
        match event:
            case "offer":
                self.act("offer", agent("li"), pick, amount=part)
                self.act("accept_offer", BUYER, pick)
            case "reject":
                self.act("reject", agent("li"), pick, grounds=["DELIVERY_PROVEN"])
            case "appeal":
                self.act("appeal", BUYER, pick, argument="The record is of another account.")
            case _:
                self.act(event, agent("wang"), pick, ground="shown")

    @rule(pick=PICK, event=st.sampled_from(["withdraw", "confirm_receipt"]))
    def end(self, pick: int, event: str) -> None:
        """Let the buyer end the refund."""
        self.act(event, BUYER, pick)

    @rule(pick=PICK)
    def dispatch(self, pick: int) -> None:
        """Send the payout."""
        self.act("dispatch_payout", SYSTEM, pick)

    @precondition(lambda self: any(case["attempts"] for case in self.story.aggregate.refunds.values()))
    @rule(pick=PICK, which=PICK, event=PROOFS, actor=TELLER, wrong=PICK)
    def prove(self, pick: int, which: int, event: str, actor: Actor, wrong: int) -> None:
        """Tell a proof of any number ever used, now and then with a wrong amount."""
        with_numbers = [case for case in self.story.aggregate.refunds.values() if case["attempts"]]
        case = with_numbers[pick % len(with_numbers)]
        number = list(case["attempts"])[which % len(case["attempts"])]
        amount = case["attempts"][number]["amount"] + (wrong == 0)
        params: dict[str, Any] = {"number": number, "amount": amount, "currency": "CNY", "proof": f"{event}-{number}"}
        self.story.do(event, actor, refund=case["id"], **params)
        entry = self.story.answer.entry
        if entry is None or self.story.answer.waiting or self.story.answer.refusal:
            return
        told = self.story.answer.entries[entry].params.get("as")
        for made in self.story.answer.entries[entry:]:
            self.by_hand -= made.params["returned"] if made.event == "resolved_came_back" else 0
        if told != "kept":
            self.count(event, number, amount)
        if told == "stray_returned":
            same = min(self.by_hand_of_strays, amount)
            self.by_hand -= same
            self.by_hand_of_strays -= same

    def count(self, event: str, number: str, amount: int) -> None:
        """Count what was really paid: each number once, and not what came back."""
        if event != "payout_settled":
            self.back.add(number)
            self.paid.pop(number, None)
        elif number not in self.back:
            self.paid[number] = amount

    @rule(pick=PICK, which=PICK, void=st.booleans(), actor=st.sampled_from([CHANNEL, SYSTEM, finance("fang")]))
    def refuse(self, pick: int, which: int, void: bool, actor: Actor) -> None:
        """Tell that a number failed, perhaps for good."""
        if self.story.aggregate.refunds:
            numbers = [*self.case(pick)["attempts"], None]
            number = numbers[which % len(numbers)]
            named = {} if number is None else {"number": number}
            self.act("payout_refused", actor, pick, **named, void=void, proof="no", rule="CHANNEL_WINDOW_OVER")

    @rule(pick=PICK, which=PICK)
    def void(self, pick: int, which: int) -> None:
        """Tell that a number will never pay."""
        if self.story.aggregate.refunds:
            numbers = [*self.case(pick)["attempts"], "nonsense"]
            self.act("void_attempt", finance("fang"), pick, number=numbers[which % len(numbers)], proof="bill")

    @rule(pick=PICK, event=st.sampled_from(["retry_payout", "reroute_payout", "pay_manually", "revoke_approval"]))
    def repair(self, pick: int, event: str) -> None:
        """Find the way out of a failed payout."""
        match event:
            case "retry_payout":
                self.act(event, SYSTEM, pick)
            case "revoke_approval":
                self.act(event, supervisor("zhao"), pick)
            case _:
                params = {"channel": "fake"} if event == "reroute_payout" else {}
                self.act(event, finance("fang"), pick, **params)
                self.act(event, finance("gao"), pick, **params)

    @precondition(lambda self: self.story.aggregate.refunds)
    @rule(pick=PICK, void=st.booleans(), event=st.sampled_from(["pay_manually", "reroute_payout", "revoke_approval"]))
    def tangle(self, pick: int, void: bool, event: str) -> None:
        """Give up the number in flight for another way, while it may pay all the same."""
        self.refuse(pick, -1, void, CHANNEL)
        self.void(pick, 0)
        self.repair(pick, event)
        self.act("approve", agent("li"), pick)
        self.dispatch(pick)
        for which in range(pick % 3):
            self.prove(pick, -1 - which, "payout_settled", CHANNEL, 1)
        if pick % 4 == 0:
            self.prove(pick, -1 - pick % 3, "payout_reversed", CHANNEL, 1)

    @rule(pick=PICK, actor=st.sampled_from([finance("fang"), finance("gao")]))
    def take_back(self, pick: int, actor: Actor) -> None:
        """Let a first person take back."""
        self.act("take_back", actor, pick)

    @rule(pick=PICK, number=st.sampled_from(["c1", "c2"]), amount=st.sampled_from([1, 2000, 9000]), outcomes=OUTCOMES)
    def disturb(self, pick: int, number: str, amount: int, outcomes: list[str]) -> None:
        """Tell chargebacks, in any order, or captured amounts; both rarely, for they stop every payout."""
        if pick % 4:
            return
        if pick:
            for captured in (0, 4000, 12000)[: pick // 4] + ((9000,) if amount > 1 else ()):
                self.story.must("captured", SHOP, captured=captured)
            return
        for outcome in outcomes:
            told = {} if outcome == "open" else {"outcome": outcome}
            event = "chargeback_closed" if told else "chargeback_opened"
            self.story.must(event, CHANNEL, chargeback=number, amount=amount, **told)

    @precondition(lambda self: self.story.ledger.excess)
    @rule(amount=AMOUNT | st.none(), how=st.sampled_from(["returned", "written_off"]), proof=PICK)
    def resolve_excess(self, amount: int | None, how: str, proof: int) -> None:
        """Return or write off excess, now and then too much, now and then twice."""
        before, stray = self.story.ledger, self.story.aggregate.line["stray"]
        most = max(1, min(before.excess, before.settled))
        params: dict[str, Any] = {"amount": amount or most, "how": how, "proof": f"slip {proof}"}
        self.story.do("excess_resolved", finance("fang"), **params).do("excess_resolved", finance("gao"), **params)
        if self.story.answer.entry is None or self.story.answer.refusal:
            return
        assert self.story.ledger.excess == before.excess - params["amount"]
        if how == "returned":
            self.by_hand += params["amount"]
            self.by_hand_of_strays += min(stray, params["amount"])
            assert self.story.ledger.settled == before.settled - params["amount"]

    @rule(days=st.integers(min_value=0, max_value=9), hours=st.integers(min_value=0, max_value=30))
    def wait(self, days: int, hours: int) -> None:
        """Let time pass and deadlines lapse."""
        self.story.at(days=days, hours=hours).sweep()

    # what always holds

    @invariant()
    def ledger_is_the_sum_of_the_entries(self) -> None:
        """The ledger equals the sum of the entries' changes, and of what the refunds have."""
        _, ledger, documents = self.story.replayed()
        assert Ledger(**ledger) == self.story.ledger
        assert documents == self.story.aggregate.refunds
        assert self.story.ledger.reserved == sum(case["reserved"] for case in self.cases)
        assert self.story.ledger.in_flight == sum(case["in_flight"] for case in self.cases)

    @invariant()
    def no_column_is_negative_and_the_line_bears_it(self) -> None:
        """No column is negative; reserved + in flight + settled is at most captured + excess."""
        ledger, captured = self.story.ledger, self.story.aggregate.line["captured"]
        columns = (ledger.reserved, ledger.in_flight, ledger.settled, ledger.charged_back, ledger.excess)
        assert min(columns) >= 0
        assert ledger.reserved + ledger.in_flight + ledger.settled <= captured + ledger.excess

    @invariant()
    def what_was_really_paid_is_counted_once(self) -> None:
        """What was paid and did not come back is what the rules count, once."""
        line = self.story.aggregate.line
        counted = sum(case["settled"] for case in self.cases) + line.get("beside", 0)
        assert counted == sum(self.paid.values()) - self.by_hand >= 0
        hidden = max(0, counted) - self.story.ledger.settled
        assert 0 <= hidden <= line["written_off"]

    @invariant()
    def our_own_acts_never_raise_excess(self) -> None:
        """Only facts from outside raise excess, and money leaves only from paying."""
        for entry in self.story.entries[self.seen :]:
            assert entry.event in OUTSIDE or entry.ledger.get("excess", 0) <= 0
            assert entry.after == "approved.paying" or entry.ledger.get("in_flight", 0) <= 0
        self.seen = len(self.story.entries)

    @invariant()
    def each_refund_keeps_its_bounds(self) -> None:
        """Settled is at most approved, approved at most claimed, and one number at most is open."""
        for case in self.cases:
            open_numbers = [item for item in case["attempts"].values() if item["state"] == "open"]
            assert 0 <= case["settled"] <= case["approved"] <= case["claimed"]
            assert min(case["reserved"], case["in_flight"]) >= 0
            assert len(open_numbers) == (case["state"] == "approved.paying")
            assert case["in_flight"] == (case["approved"] if open_numbers else 0)
            if case["state"] in ("approved.payable", "approved.payout_failed"):
                assert case["reserved"] >= case["approved"] > 0

    @property
    def cases(self) -> list[Case]:
        """Return every refund of the line."""
        return list(self.story.aggregate.refunds.values())


MoneyWalk.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestMoneyWalk = MoneyWalk.TestCase
