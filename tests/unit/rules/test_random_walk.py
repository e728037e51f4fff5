"""Random stories on the pure rules: whatever anybody does at any time, what always holds holds."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from states import codes, times
from states.calendar import Calendar, Calendars
from states.case import Actor, Case, Entry
from states.clocks import STANDING
from states.decide import MOVES, due
from states.lapses import nothing_due
from states.line import FACTS
from states.refund_v1 import TABLE
from tests.unit.rules.story import INSTANT, MONDAY, Story, file, rules

NAMES = ("li", "wang", "zhao", "b1")
STEPS = (0, 1, 60, 3600, 6 * 3600, 86400, 3 * 86400, 10 * 86400)  # seconds
AMOUNTS = (-1, 0, 1, 4000, 10000, 120000, 150000, 200000)
TEXTS: tuple[dict[str, str], ...] = (
    {},
    {"message": "As agreed.", "note": "It does not work.", "argument": "Here is why.", "ground": "Goodwill."},
)
OUTSIDE = {"captured", "stray_payment"}  # the facts that may raise excess


def _one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


amounts, files = _one(*AMOUNTS), st.lists(_one(*codes.EVIDENCE_KINDS[:4], "platform_promise"), max_size=2)
PARAMS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "submit": {"reason": _one(*codes.REASONS), "amount": _one(None, *AMOUNTS), "evidence": files},
    "request_evidence": {"kinds": st.lists(_one(*codes.EVIDENCE_KINDS[:4]), max_size=2)},
    "provide_evidence": {"evidence": files, "all": st.booleans()},
    "offer": {"amount": amounts, "compensation": _one(0, 0, 500, 5000)},
    "counter_offer": {"amount": amounts},
    "accept_offer": {"offer": _one(None, "1", "2")},
    "decline_offer": {"offer": _one(None, "1")},
    "reject": {"grounds": st.lists(_one(*codes.GROUNDS), max_size=2)},
    "uphold": {"grounds": st.lists(_one(*codes.GROUNDS), max_size=2)},
    "appeal": {"evidence": files},
    "add_evidence": {"evidence": files},
    "payout_refused": {"proof": _one("p1", None), "void": st.booleans(), "rule": _one(None, "CHANNEL_WINDOW_OVER")},
    "reroute_payout": {"channel": _one("alipay", "fake", "bank_manual")},
    "answer_enquiry": {"answer": _one(*codes.ANSWERS)},
    "void_attempt": {"proof": _one("p2")},
    "flag_risk": {"flag": _one("F1", "F2")},
    "assign": {"to": _one(*NAMES)},
    "extend": {"days": _one(0, 1, 7, 8)},
    "completed": {"completed_at": _one(times.text(MONDAY))},
    "captured": {"captured": _one(100000, 200000, 300000)},
    "usage_recorded": {"usage": _one(*codes.USAGES)},
    "paid": {"paid_at": _one(times.text(MONDAY))},
    "validity": {"valid_from": _one(times.text(MONDAY)), "valid_to": _one(times.text(MONDAY + timedelta(days=30)))},
    "chargeback_opened": {"chargeback": _one("c1", "c2"), "amount": _one(10000)},
    "chargeback_closed": {"chargeback": _one("c1", "c2"), "amount": _one(10000), "outcome": _one("won", "lost")},
    "excess_resolved": {"amount": amounts, "how": _one("returned", "written_off"), "proof": _one("x1")},
}
USUAL: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "submit": {"reason": _one("CANNOT_LOG_IN", "FRAUD", "OTHER", "DUPLICATE_PAYMENT"), "amount": _one(4000, 120000)},
    "request_evidence": {"kinds": _one(["screenshot"], ["login_log"])},
    "provide_evidence": {"all": _one(True)},
    "offer": {"amount": _one(0, 3000, 4000, 110000), "compensation": _one(500)},
    "counter_offer": {"amount": _one(3500, 115000)},
    "accept_offer": {"offer": _one(None)},
    "decline_offer": {"offer": _one(None)},
    "reject": {"grounds": _one(["ABUSE_SUSPECTED"])},
    "uphold": {"grounds": _one(["NO_NEW_GROUND"])},
    "payout_refused": {"proof": _one("p1"), "void": st.booleans(), "rule": _one("CHANNEL_WINDOW_OVER")},
    "reroute_payout": {"channel": _one("alipay")},
}
PROOFS = ("payout_settled", "payout_reversed", "late_reversal", "void_attempt")
BEGINNINGS = (
    Story.submit, Story.reviewing, Story.rejected, Story.appealed, Story.approved, Story.paying, Story.paid,
)  # fmt: skip
QUIET_FACTS = ("captured", "usage_recorded", "chargeback_opened", "chargeback_closed", "excess_resolved")


def calendar(*, until: int, holiday: int | None = None) -> Calendar:
    """Return a calendar that knows November up to a day, perhaps with a day off."""
    days = {date(2026, 11, holiday)} if holiday and holiday <= until else set()
    return Calendar(
        version=f"until {until}, {holiday} off",
        first=date(2026, 11, 1),
        last=date(2026, 11, until),
        holidays=frozenset(days),
        makeup=frozenset(),
    )


class Walk(RuleBasedStateMachine):
    """Two worlds live the same story; in one of them a worker sweeps at moments of its own."""

    @initialize(begin=_one(*BEGINNINGS), reason=_one("CANNOT_LOG_IN", "FRAUD"), amount=_one(None, 4000, 150000))
    def begin(self, begin: Callable[..., Story], reason: str, amount: int | None) -> None:
        """Begin somewhere in the life of a refund on a large order line."""
        self.imports: list[tuple[datetime | None, Calendar]] = [(None, calendar(until=8))]
        self.calm, self.swept = Story(captured=200000), Story(captured=200000)
        self._in_force()
        self._both(lambda story: begin(story, reason=reason, amount=amount))

    @rule(data=st.data(), seconds=_one(*STEPS[:5]))
    def soon(self, data: st.DataObject, seconds: int) -> None:
        """Let somebody do what is possible, within hours."""
        self._possible(data, seconds)

    @rule(data=st.data(), seconds=_one(*STEPS))
    def later(self, data: st.DataObject, seconds: int) -> None:
        """Let somebody do what is possible, perhaps days later."""
        self._possible(data, seconds)

    @rule(data=st.data(), seconds=_one(*STEPS[:5]))
    def forward(self, data: st.DataObject, seconds: int) -> None:
        """Let somebody bring the refund forward, so that stories get far."""
        self._possible(data, seconds, beside=False)

    def _possible(self, data: st.DataObject, seconds: int, *, beside: bool = True) -> None:
        self._later(timedelta(seconds=seconds))
        refund = self._refund(data)
        states = [event for event in TABLE.events_of[self._state_of(refund)] if event in MOVES]
        quiet = [event for event, move in MOVES.items() if move.states is not None] if beside else []
        events = [event for event in (*states, *quiet) if event != "withdraw" or beside]
        event = data.draw(_one(*events, "submit"))
        roles = sorted(MOVES[event].roles) if event != "submit" else ["buyer", "service"]
        self._act(data, event, data.draw(_one(*roles)), refund, usual=True)

    def _refund(self, data: st.DataObject) -> str:
        refunds = list(self.calm.aggregate.refunds)
        return str(data.draw(_one(refunds[-1], refunds[-1], *refunds)))

    def _stored(self, refund: str) -> str:
        return self.calm.aggregate.refunds[refund]["state"]

    def _state_of(self, refund: str) -> str:
        self.calm.sweep()
        self.swept.sweep()
        return self.calm.aggregate.refunds[refund]["state"]

    @rule(data=st.data(), seconds=_one(*STEPS))
    def anything(self, data: st.DataObject, seconds: int) -> None:
        """Let anybody try anything, or the outside world tell a fact."""
        self._later(timedelta(seconds=seconds))
        event = data.draw(_one(*MOVES, *QUIET_FACTS, *QUIET_FACTS))
        roles = data.draw(_one(codes.ROLES, tuple(sorted((MOVES.get(event) or FACTS[event]).roles))))
        self._act(data, event, data.draw(_one(*roles)), self._refund(data))

    @rule(offset=_one(-INSTANT, timedelta(0), INSTANT), data=st.data())
    def at_the_boundary(self, offset: timedelta, data: st.DataObject) -> None:
        """Act at a due moment, or a microsecond beside it."""
        dues = [item["due_at"] for case in self.calm.aggregate.refunds.values() for item in case["deadlines"].values()]
        if not dues:
            return
        self._later(max(timedelta(0), times.moment(min(dues)) + offset - self.calm.now))
        refund = self._refund(data)
        event = data.draw(_one("note", *(event for event in TABLE.events_of[self._stored(refund)] if event in MOVES)))
        self._act(data, event, "agent", refund)

    @rule(parts=st.integers(1, 3))
    def sweep(self, parts: int) -> None:
        """Let the worker of one world run a few times before the next moment."""
        self.pending = parts

    @rule(until=st.integers(9, 30), holiday=st.integers(9, 13))
    def import_calendar(self, until: int, holiday: int) -> None:
        """Learn more of the days to come: provisional deadlines are counted again."""
        self._later(timedelta(seconds=1))
        self.imports.append((self.calm.now, calendar(until=until, holiday=holiday)))
        self._in_force()
        self._both(lambda story: story.sweep())

    pending = 0

    def _in_force(self) -> None:
        for story in (self.calm, self.swept):
            story.rules = replace(rules(), calendars=Calendars(self.imports))

    def _later(self, step: timedelta) -> None:
        start = self.calm.now
        for part in range(1, self.pending + 1):
            self.swept.at(start + step * part / (self.pending + 1)).sweep()
        self.pending = 0
        for story in (self.calm, self.swept):
            story.at(start + step)

    def _act(self, data: st.DataObject, event: str, role: str, refund: str, *, usual: bool = False) -> None:
        wanted = {**PARAMS.get(event, {}), **(USUAL.get(event, {}) if usual else {})}
        params = {name: data.draw(value, label=name) for name, value in wanted.items()}
        if event in PROOFS:
            params |= self._proof(data, refund)
        if "evidence" in params:
            params["evidence"] = [file(kind, str(data.draw(_one(1, 2)))) for kind in params["evidence"]]
        if role == "system":
            actor = Actor(role=role, name="system")
        elif role == "channel":
            actor = Actor(role=role, name="fake")
        else:
            name = "b1" if role == "buyer" else data.draw(_one(*NAMES))
            actor = Actor(role=role, name=name, is_claimant=name == "b1")
        given = {name: value for name, value in params.items() if value is not None}
        facts = {"assignee_registered": True} if event == "assign" else {}
        texts = TEXTS[-1] if usual else data.draw(_one(*TEXTS))
        self._both(lambda story: story.do(event, actor, texts=texts, facts=facts, refund=refund, **given))

    def _proof(self, data: st.DataObject, refund: str) -> dict[str, Any]:
        attempts = self.calm.aggregate.refunds[refund]["attempts"]
        number = data.draw(_one("unknown", *attempts, *attempts, *attempts))
        amount = attempts.get(number, {"amount": 1})["amount"]
        return {"number": number, "amount": data.draw(_one(amount, amount, 7)), "currency": "CNY", "proof": "r1"}

    def _both(self, act: Callable[[Story], Story]) -> None:
        for story in (self.calm, self.swept):
            act(story)

    @invariant()
    def replay_gives_what_is_stored(self) -> None:
        """The documents and the ledger are the replay of the entries."""
        line, ledger, refunds = self.calm.replayed()
        stored = self.calm.aggregate
        assert (line, refunds) == (stored.line, stored.refunds)
        assert ledger == {column: getattr(stored.ledger, column) for column in ledger}

    @invariant()
    def what_is_allowed_is_what_nothing_blocks(self) -> None:
        """Whatever is left out of judging when an answer tells what is allowed blocks nothing in explaining."""
        refund = next(reversed(self.calm.aggregate.refunds))
        for actor in (Actor(role=role, name=name) for role in codes.ROLES for name in ("li", "b1")):
            explained = self.calm.explained(actor, refund)
            assert self.calm.allowed(actor, refund) == tuple(event for event, found in explained.items() if not found)

    @invariant()
    def a_line_on_which_nothing_is_due_stands_as_a_move_finds_it(self) -> None:
        """What says so without a copy is right; a clock that is behind by a minute gets no yes it should not get."""
        for now in (self.calm.now, self.calm.now - timedelta(minutes=1), self.calm.now + timedelta(days=1)):
            found = due(self.calm.aggregate, rules=self.calm.rules, now=now)
            assert not (nothing_due(self.calm.aggregate, self.calm.rules, now) and found.entries)

    @invariant()
    def sweeping_changes_nothing(self) -> None:
        """Every chain is the same whether a worker swept or not."""
        assert _chains(self.calm) == _chains(self.swept)

    @invariant()
    def the_line_never_promises_more_than_it_has(self) -> None:
        """Reserved, in flight and settled stay within captured and excess, and add up over the refunds."""
        ledger, refunds = self.calm.ledger, self.calm.aggregate.refunds.values()
        assert min(ledger.reserved, ledger.in_flight, ledger.settled, ledger.charged_back, ledger.excess) >= 0
        assert (
            ledger.reserved + ledger.in_flight + ledger.settled <= self.calm.aggregate.line["captured"] + ledger.excess
        )
        assert ledger.reserved == sum(case["reserved"] for case in refunds)
        assert ledger.in_flight == sum(case["in_flight"] for case in refunds)
        assert all(entry.event in OUTSIDE for entry in self.calm.entries if entry.ledger.get("excess", 0) > 0)

    @invariant()
    def each_refund_is_sound(self) -> None:
        """Money, numbers, deadlines and persons of each refund are as its state asks."""
        for case in self.calm.aggregate.refunds.values():
            _sound_money(case)
            _sound_deadlines(case, times.text(self.calm.now))
            assert all(case["state"] in TABLE.sources(event) for event in case["firsts"])
            review, appeal = case["decided"].get("review", []), case["decided"].get("appeal", [])
            assert not set(review) & set(appeal)
            assert "b1" not in (*review, *appeal)

    @invariant()
    def chains_have_no_gaps(self) -> None:
        """Sequence numbers have no gaps and effective times never go back."""
        chains: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.calm.entries:
            chains[entry.subject].append(entry)
        for subject, chain in chains.items():
            first = 2 if "/" in subject else 1  # the line was registered before the story begins
            assert [entry.seq for entry in chain] == list(range(first, first + len(chain)))
            assert [entry.effective_at for entry in chain] == sorted(entry.effective_at for entry in chain)


def _chains(story: Story) -> dict[str, list[Entry]]:
    chains: dict[str, list[Entry]] = defaultdict(list)
    for entry in story.entries:
        chains[entry.subject].append(entry)
    return chains


def _sound_money(case: Case) -> None:
    assert 0 <= case["settled"] <= case["approved"] <= case["claimed"]
    assert min(case["reserved"], case["in_flight"]) >= 0
    opened = [number for number, item in case["attempts"].items() if item["state"] == "open"]
    assert len(opened) <= 1
    assert bool(opened) == bool(case["in_flight"]) == (case["state"] == "approved.paying")
    assert case["reserved"] == 0 or case["state"] not in TABLE.final


def _sound_deadlines(case: Case, now: str) -> None:
    standing = STANDING.get(case["state"])
    expected = {standing} if standing else set()
    if "enquiry" in case:
        expected = (expected - {"receipt"}) | {"enquiry"}
    assert set(case["deadlines"]) == expected
    assert all(item["due_at"] > now for item in case["deadlines"].values())


Walk.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestWalk = Walk.TestCase
