"""Random stories through the facade on both databases: whatever anybody does at any time, what always holds holds.

Two databases live the same story. In one of them a worker fires what is due at moments of its own; both are
closed and opened again now and then.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from refundflow import values, verifier
from refundflow.errors import BadInput, Refused
from states import codes
from tests.support.databases import Databases
from tests.support.market import BUYER, LI, SHOP, Market, a_file, prepare_rehearsal, require_ledger
from tests.support.packages import log_of

EXAMPLES = int(os.environ.get("REFUNDFLOW_WALKS", "6"))
SHRINK = "REFUNDFLOW_SHRINK" in os.environ  # minutes, on real databases
STEPS = 30
AMOUNT = 150_000  # above the limit of two persons, and never a small claim
SECONDS = (0, 1, 3_600, 6 * 3_600, 86_400, 3 * 86_400, 10 * 86_400)
STAFF = ("agent:li", "agent:zhao", "supervisor:chen", "supervisor:li", "finance:qian", "finance:sun", "finance:li")
SCRIPTS = ("settle", "refuse", "refuse_void", "pending_then_settle", "timeout_done", "reverse", "timeout_for_ever")
SENTENCE = "Because of the evidence that came."


def one(*choices: Any) -> st.SearchStrategy[Any]:
    """Choose one of these."""
    return st.sampled_from(choices)


AMOUNTS = one(0, 1, 4_000, 120_000, AMOUNT, AMOUNT + 1)
FILES = st.lists(one("screenshot", "chat_log", "platform_promise"), max_size=2)
TERMS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "begin_review": {}, "approve": {}, "withdraw": {}, "retry_payout": {}, "confirm_receipt": {},
    "request_evidence": {"kinds": FILES, "message": one(SENTENCE)},
    "provide_evidence": {"evidence": FILES, "all": st.booleans()},
    "end_request": {"message": one(SENTENCE, None)},
    "offer": {"amount": AMOUNTS, "compensation": one(0, 500)},
    "counter_offer": {"amount": AMOUNTS},
    "accept_offer": {"offer": one(None, 1, 2)},
    "decline_offer": {"offer": one(None, 1)},
    "reject": {"grounds": st.lists(one(*codes.GROUNDS[:3]), max_size=2), "message": one(SENTENCE, None)},
    "appeal": {"evidence": FILES, "message": one(SENTENCE, None)},
    "uphold": {"grounds": one(["NO_NEW_GROUND"], [])},
    "overturn": {"message": one(SENTENCE, None)},
    "reroute_payout": {"channel": one("balance", "fake"), "message": one(SENTENCE)},
    "pay_manually": {"message": one(SENTENCE)},
    "revoke_approval": {"message": one(SENTENCE)},
    "raise_enquiry": {}, "answer_enquiry": {"answer": one(*codes.ANSWERS)},
    "add_evidence": {"evidence": FILES}, "note": {"message": one(SENTENCE), "audience": one("internal", "buyer")},
    "flag_risk": {"flag": one("F1", "F2")}, "assign": {"to": one("li", "zhao", "nobody")}, "take_back": {},
    "extend": {"days": one(1, 7, 8), "message": one(SENTENCE)},
    "payout_settled": {}, "payout_reversed": {}, "late_reversal": {},
    "payout_refused": {"proof": one("p1", None), "void": st.booleans()}, "void_attempt": {},
}  # fmt: skip
PROOFS = ("payout_settled", "payout_reversed", "late_reversal", "void_attempt")
FACTS: Mapping[str, tuple[str, Mapping[str, st.SearchStrategy[Any]]]] = {
    "record_usage": (SHOP, {"usage": one(*codes.USAGES)}),
    "record_captured": (SHOP, {"amount": one(100_000, AMOUNT, 300_000)}),
    "chargeback_opened": ("finance:qian", {"chargeback": one("c1", "c2"), "amount": one(10_000)}),
    "chargeback_closed": (
        "finance:qian", {"chargeback": one("c1"), "amount": one(10_000), "outcome": one("won", "lost")},
    ),
    "excess_resolved": (
        "finance:qian", {"amount": one(10_000, AMOUNT), "how": one("returned", "written_off"), "proof": one("x1")},
    ),
}  # fmt: skip
Call = Callable[[Market], Any]


class Walk(RuleBasedStateMachine):
    """Two markets live the same story; in one of them a worker fires what is due in between."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self.calm, self.swept = (
            Market(self.databases.copy_of("rehearsal", prepare_rehearsal)) for _ in range(2)
        )  # fmt: skip
        self.keyed: list[tuple[Call, Any]] = []
        self.seen: dict[datetime, tuple[values.OrderLine, list[values.Refund]]] = {}
        self.sweeps = 0

    @initialize(script=one(*SCRIPTS), amount=one(None, 4_000), reason=one("CANNOT_LOG_IN", "FRAUD"))
    def begin(self, script: str, amount: int | None, reason: str) -> None:
        """Begin with a claim on an order of which each refund is paid as the script says."""
        for market in (self.calm, self.swept):
            market.refunds.staff_add("zhao", roles=["agent"], actor="supervisor:chen")
            market.order("A1", amount_minor=AMOUNT)
            market.channel.script("pay-A1", script, "settle")
            market.submit("A1", amount=amount, reason=reason, key="first")

    @rule(data=st.data(), seconds=one(*SECONDS))
    def likely(self, data: st.DataObject, seconds: int) -> None:
        """Let somebody do what he may do now."""
        self._later(timedelta(seconds=seconds))
        actor = data.draw(one(BUYER, BUYER, *STAFF))
        refund = data.draw(one(*self._refunds()))
        allowed = [event for event in self.calm.get(refund, actor).allowed if event in TERMS]
        if allowed:
            self._act(data, refund, data.draw(one(*allowed)), actor)

    @rule(data=st.data(), seconds=one(*SECONDS[:4]))
    def anything(self, data: st.DataObject, seconds: int) -> None:
        """Let anybody try anything."""
        self._later(timedelta(seconds=seconds))
        self._act(data, data.draw(one(*self._refunds())), data.draw(one(*TERMS)), data.draw(one(BUYER, SHOP, *STAFF)))

    @rule(data=st.data(), seconds=one(*SECONDS[:4]))
    def fact(self, data: st.DataObject, seconds: int) -> None:
        """Let the outside world tell a fact of the line."""
        self._later(timedelta(seconds=seconds))
        event = data.draw(one(*FACTS))
        actor, terms = FACTS[event]
        given = {name: data.draw(value, label=name) for name, value in terms.items()}
        self._both(lambda market: getattr(market.refunds, event)("A1", actor=actor, at=market.at, **given))

    @rule(amount=one(None, 4_000, AMOUNT), reason=one("CANNOT_LOG_IN", "FRAUD", "NO_LONGER_NEEDED"))
    def claim(self, amount: int | None, reason: str) -> None:
        """Claim once more on the line."""
        self._both(lambda market: market.submit("A1", amount=amount, reason=reason))

    @rule(seconds=one(*SECONDS))
    def work(self, seconds: int) -> None:
        """Let the system do what it owes, in both worlds at the same time."""
        self._later(timedelta(seconds=seconds))
        self._both(lambda market: replace(market.refunds.work(at=market.at), lapsed=0))

    @rule(offset=one(-1, 0, 1), data=st.data())
    def at_the_boundary(self, offset: int, data: st.DataObject) -> None:
        """Act at a due moment, or a microsecond beside it."""
        refund = data.draw(one(*self._refunds()))
        deadline = self.calm.get(refund).deadline
        if deadline is not None:
            self._later(max(timedelta(0), deadline.due_at + timedelta(microseconds=offset) - self.calm.now))
            actor = data.draw(one(BUYER, *STAFF[:3]))
            self._act(data, refund, data.draw(one(*[*self.calm.get(refund, actor).allowed, "note"])), actor)

    @rule()
    def sweep(self) -> None:
        """Let the worker of one world fire at a few moments before the next act."""
        self.sweeps += 2

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """Repeat an earlier call with its key: it gives its first answer."""
        if self.keyed:
            call, answer = data.draw(one(*self.keyed))
            assert call(self.calm) == answer == call(self.swept)

    @rule()
    def restart(self) -> None:
        """Close both databases and open them again."""
        for market in (self.calm, self.swept):
            market.restart()

    @invariant()
    def every_chain_verifies_and_the_ledger_holds(self) -> None:
        """Chains have no gaps, rows are the replay of their entries, no line gives more than it has."""
        for market in (self.calm, self.swept):
            market.require_sound()
        line, refunds = self.calm.line("A1"), [self.calm.get(refund) for refund in self._refunds()]
        require_ledger(line)
        assert line.reserved_minor == sum(refund.reserved_minor for refund in refunds)
        assert line.in_flight_minor == sum(refund.in_flight_minor for refund in refunds)

    @invariant()
    def a_number_pays_once_and_is_not_replaced_while_it_may(self) -> None:
        """Of a refund's numbers at most one is in flight, and what the channel paid is what is known or on its way."""
        for refund in map(self.calm.get, self._refunds()):
            assert [item.state for item in refund.attempts].count("open") <= 1
            assert refund.settled_minor <= refund.approved_minor <= refund.claimed_minor

    @invariant()
    def sweeping_changes_nothing(self) -> None:
        """Every read shows the same in both worlds."""
        assert [self.calm.get(refund) for refund in self._refunds()] == [
            self.swept.get(refund) for refund in self._refunds()
        ]
        assert self.calm.line("A1") == self.swept.line("A1")

    @invariant()
    def what_is_seen_now_is_kept_in_mind(self) -> None:
        """Remember what a read shows at each moment; the last one of a moment is how it was then."""
        self.seen[self.calm.now] = self.calm.line("A1"), [self.calm.get(refund) for refund in self._refunds()]

    def teardown(self) -> None:
        """Compare the whole histories, and every past with what was seen then, once nothing is due any more."""
        for moment, (line, refunds) in self.seen.items():
            for market in (self.calm, self.swept):
                asked: Any = {"actor": LI, "at": market.at, "as_of": moment}
                assert market.refunds.line("A1", **asked) == line
                assert [market.refunds.get(refund.id, **asked) for refund in refunds] == refunds
        for market in (self.calm, self.swept):
            market.refunds.fire(Counter(), at=market.at)
        for subject in ("A1/1", *self._refunds()):
            assert told(self.calm, subject) == told(self.swept, subject)
        self._verify_offline()
        for market in (self.calm, self.swept):
            market.close()

    # how the steps are done

    def _verify_offline(self) -> None:
        """Let the offline verifier judge both exports: it finds nothing."""
        with TemporaryDirectory() as folder:
            for market in (self.calm, self.swept):
                log = log_of(market.refunds)
                report = verifier.verify(log.write(Path(folder) / "entries.jsonl"), [log.signer.vkey])
                assert not report.findings, [str(finding) for finding in report.findings]

    def _refunds(self) -> tuple[str, ...]:
        return self.calm.line("A1").refunds

    def _later(self, step: timedelta) -> None:
        start = self.calm.now
        for part in range(1, self.sweeps + 1):
            self.swept.refunds.fire(Counter(), at=start + step * part / (self.sweeps + 1))
        self.sweeps = 0
        self.calm.now = self.swept.now = start + step

    def _act(self, data: st.DataObject, refund: str, event: str, actor: str) -> None:
        given = {name: data.draw(value, label=name) for name, value in TERMS[event].items()}
        given = {name: value for name, value in given.items() if value is not None or name == "proof"}
        if "evidence" in given:
            given["evidence"] = [a_file(kind, data.draw(one(b"1", b"2"))) for kind in given["evidence"]]
        if event in PROOFS:
            given |= self._proof(data, self.calm.get(refund), short=event == "void_attempt")
        key = data.draw(one(None, None, f"k{len(self.keyed)}"))
        at = self.calm.at

        def call(market: Market) -> values.Refund:
            method: Callable[..., values.Refund] = getattr(market.refunds, event)
            return method(refund, actor=actor, at=at, key=key, **given)

        answer = self._both(call)
        if key is not None and isinstance(answer, values.Refund) and self._used(refund, key):
            self.keyed.append((call, answer))

    def _used(self, refund: str, key: str) -> bool:
        """Tell whether a key is used up: what was known already is no act."""
        return key in {entry.key for entry in self.calm.history(refund)}

    def _proof(self, data: st.DataObject, refund: values.Refund, *, short: bool) -> dict[str, Any]:
        numbers = [item.number for item in refund.attempts]
        number = data.draw(one("unknown", *numbers, *numbers, *numbers))
        amount = next((item.amount_minor for item in refund.attempts if item.number == number), 1)
        proof = {"number": number, "proof": "r1"}
        return proof if short else proof | {"amount": data.draw(one(amount, amount, 7)), "currency": "CNY"}

    def _both(self, call: Call) -> Any:
        answers = []
        for market in (self.calm, self.swept):
            try:
                answers.append(call(market))
            except (Refused, BadInput) as refused:
                answers.append(refused.as_json())
        assert answers[0] == answers[1]
        return answers[0]


def told(market: Market, subject: str) -> list[tuple[Any, ...]]:
    """Write out what a chain tells, without what may depend on when it was recorded."""
    return [
        (entry.seq, entry.kind, entry.event, entry.before, entry.after, entry.effective_at, entry.actor_name,
         entry.params, entry.blockers, entry.deadline, entry.ledger, entry.repeats)
        for entry in market.history(subject)
    ]  # fmt: skip


def test_random_stories_keep_what_always_holds(databases: Databases) -> None:
    """After every step of any story the proofs and the ledger hold, and sweeping has changed nothing."""

    class Here(Walk):
        """The walk on the databases of this test."""

    Here.databases = databases
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None,
            suppress_health_check=list(HealthCheck), phases=(Phase.generate, *((Phase.shrink,) if SHRINK else ())),
        ),
    )  # fmt: skip
