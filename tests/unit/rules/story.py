"""A story of one order line for tests of the rules: who did what when, and what the rules answered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from refundflow import calendars, policies
from states import times
from states.calendar import Calendars
from states.case import Act, Actor, Aggregate, Blocker, Case, Decision, Effect, Entry, Ledger, Line, line_subject, merge
from states.decide import MOVES, allowed, decide, due, explain, outlook
from states.draft import SYSTEM, Rules
from states.judge import allowed_on, caught_up
from states.line import FACTS
from states.policy_values import Policy
from tests.unit.rules.carried import require, require_recorded

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 2, 10, tzinfo=ZONE)  # an ordinary working week begins
INSTANT = timedelta(microseconds=1)
CHANNEL = Actor(role="channel", name="fake")
BUYER = Actor(role="buyer", name="b1", is_claimant=True)
SHOP = Actor(role="service", name="shop")


@cache
def rules() -> Rules:
    """Return the rules of a fresh installation: the packaged policy and the shipped calendar."""
    policy = policies.default()
    return Rules(policy=policy, policies={policy.version: policy}, calendars=Calendars([(None, calendars.shipped())]))


def person(role: str) -> Any:
    """Return the maker of actors of one role: ``agent("li")``."""

    def named(name: str = role) -> Actor:
        return Actor(role=role, name=name)

    return named


agent, supervisor, finance, service, auditor = map(person, ("agent", "supervisor", "finance", "service", "auditor"))


def new_line(**changes: Any) -> Line:
    """Return a paid and completed order line of a membership of 100.00 CNY, nobody's usage yet."""
    line: dict[str, Any] = {
        "order_id": "A1", "line": "1", "seq": 1, "effective_at": times.text(MONDAY - timedelta(days=2)), "buyer": "b1",
        "product_type": "membership", "product": "gold", "usage": "unused", "currency": "CNY", "captured": 10000,
        "channel": "fake", "payment_no": "P1", "paid_at": times.text(MONDAY - timedelta(days=2)),
        "completed_at": times.text(MONDAY - timedelta(days=1)), "chargebacks": {}, "stray": 0, "written_off": 0,
        "firsts": {},
    }  # fmt: skip
    written = {name: times.text(value) if isinstance(value, datetime) else value for name, value in changes.items()}
    return cast(Line, {name: value for name, value in (line | written).items() if value is not None})


def file(kind: str = "screenshot", content: str = "", **changes: Any) -> dict[str, Any]:
    """Return one piece of evidence as an act carries it."""
    commit = content or f"content of {kind}"
    return {"kind": kind, "commit": commit, "size": 1000, "media_type": "image/png"} | changes


class Story:
    """One order line and everything that happens to it; every decision is checked for what it must carry.

    `at` moves the clock forward; `do` and `tell` decide and keep what was decided; the answers of
    the newest act are `decision`, `codes` and `effects`, of all of them `entries`.
    """

    def __init__(self, *, rules: Rules | None = None, start: datetime = MONDAY, **line: Any) -> None:
        self.rules = rules or _default_rules()
        self.now = start.astimezone(UTC)
        self.aggregate = Aggregate(line=new_line(**line), ledger=Ledger(), refunds={})
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []  # of the newest act
        self.decision: Decision | None = None
        self.first_line: Line = self.aggregate.line
        self.refund = ""  # the newest one

    # time

    def at(self, moment: datetime | str | None = None, **later: float) -> "Story":
        """Move the clock to a moment (a text is local time, or UTC as documents hold it), or by a duration."""
        if isinstance(moment, str):
            read = datetime.fromisoformat(moment)
            moment = read if read.tzinfo else read.replace(tzinfo=ZONE)
        self.now = (moment or self.now).astimezone(UTC) + timedelta(**later)
        return self

    def at_due(self, name: str, **later: float) -> "Story":
        """Move the clock to the due moment of a standing deadline (as read now), plus a duration."""
        return self.at(self.deadline(name)["due_at"], **later)

    # acts

    def do(
        self, event: str, actor: Actor, *, refund: str = "", texts: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None, occurred_at: str | None = None, **params: Any,
    ) -> "Story":  # fmt: skip
        """Let somebody act on the newest refund (or the one named), or on the line where the event is a fact of it."""
        words = dict(texts or {})
        for name in ("message", "note", "argument", "ground"):
            if isinstance(params.get(name), str):
                words[name] = params.pop(name)
        target = None if event == "submit" or event in FACTS else refund or self.refund
        act = Act(
            event=event, actor=actor, refund=target, params=params, texts=words, facts=facts or {},
            occurred_at=occurred_at,
        )  # fmt: skip
        decision = decide(self.aggregate, act, rules=self.rules, now=self.now)
        require_recorded(act, decision)
        return self.keep(decision)

    def must(self, event: str, actor: Actor, **params: Any) -> "Story":
        """Do what must be possible."""
        self.do(event, actor, **params)
        assert not self.codes, f"{event} was refused: {self.codes}"
        return self

    def sweep(self) -> "Story":
        """Apply what is due, as the worker does."""
        return self.keep(due(self.aggregate, rules=self.rules, now=self.now))

    def submit(self, actor: Actor = BUYER, *, reason: str = "CANNOT_LOG_IN", **params: Any) -> "Story":
        """Open a refund of the line."""
        return self.do("submit", actor, reason=reason, **params)

    def reviewing(self, **params: Any) -> "Story":
        """Open a refund and begin its review."""
        return self.submit(**params).must("begin_review", agent("li"))

    def rejected(self, **params: Any) -> "Story":
        """Open a refund and reject it."""
        self.reviewing(**params)
        return self.must("reject", agent("li"), grounds=["EVIDENCE_INCONSISTENT"], message="It does not fit.")

    def appealed(self, **params: Any) -> "Story":
        """Open a refund, reject it, appeal."""
        return self.rejected(**params).must("appeal", BUYER, argument="The record is of another account.")

    def approved(self, **params: Any) -> "Story":
        """Open a refund and approve it, by two persons where that is asked."""
        self.reviewing(**params).must("approve", agent("li"))
        if self.state == "under_review.reviewing":
            self.must("approve", agent("wang"))
        return self

    def paying(self, **params: Any) -> "Story":
        """Open a refund, approve it, send the payout."""
        return self.approved(**params).must("dispatch_payout", SYSTEM)

    def paid(self, **params: Any) -> "Story":
        """Open a refund, approve it, pay it."""
        return self.paying(**params).prove("payout_settled")

    def prove(self, event: str, actor: Actor = CHANNEL, number: str = "", **changes: Any) -> "Story":
        """Tell the proof of a payment or of its return, by default of the newest number."""
        number = number or self.number
        item = self.case["attempts"].get(number, {"amount": 0, "currency": "CNY"})
        told = {name: item[name] for name in ("amount", "currency")} | {"number": number, "proof": f"{event}-{number}"}
        return self.do(event, actor, **(told | changes))

    # what can be asked

    @property
    def case(self) -> Case:
        """Return the newest refund as it is stored (without what became due since)."""
        return self.aggregate.refunds[self.refund]

    @property
    def state(self) -> str:
        """Return the stored state of the newest refund."""
        return self.case["state"]

    @property
    def ledger(self) -> Ledger:
        """Return the money of the line."""
        return self.aggregate.ledger

    @property
    def number(self) -> str:
        """Return the newest payout number of the newest refund, or nothing."""
        attempts = self.case["attempts"]
        return max(attempts, key=lambda number: int(attempts[number]["no"]), default="")

    @property
    def answer(self) -> Decision:
        """Return the newest decision."""
        assert self.decision is not None
        return self.decision

    @property
    def blockers(self) -> dict[str, Blocker]:
        """Return the blockers of the newest act, by code."""
        refusal = self.answer.refusal
        return {blocker.code: blocker for blocker in refusal.blockers} if refusal else {}

    @property
    def codes(self) -> list[str]:
        """Return the codes of the blockers of the newest act, in order."""
        return list(self.blockers)

    def deadline(self, name: str) -> Any:
        """Return a standing deadline of the newest refund."""
        return self.case["deadlines"][name]

    def due(self, name: str) -> str:
        """Return when a deadline is due, as local time to the minute."""
        return local(self.deadline(name)["due_at"])

    def events(self, refund: str = "") -> list[str]:
        """Return the events of a refund's chain so far, in order."""
        return [entry.event for entry in self.entries if entry.subject == (refund or self.refund)]

    def told(self, kind: str = "") -> list[str]:
        """Return the codes of what left the process with the newest act."""
        return [effect.code for effect in self.effects if kind in ("", effect.kind)]

    def explained(self, actor: Actor, refund: str = "") -> dict[str, list[str]]:
        """Return for every event the codes of what blocks this actor now."""
        found = explain(self.aggregate, refund or self.refund, actor, rules=self.rules, now=self.now)
        return {event: [blocker.code for blocker in blockers] for event, blockers in found.items()}

    def allowed(self, actor: Actor, refund: str = "") -> tuple[str, ...]:
        """Return what an answer tells this actor that he may do now."""
        draft = caught_up(self.aggregate, self.rules, self.now)
        case = draft.refunds[refund or self.refund]
        found = allowed(draft, case, actor)
        line = Aggregate(draft.line, draft.ledger, draft.refunds)
        assert found == allowed_on(line, case, actor, self.rules, self.now)
        return found

    def outlook(self, reason: str, actor: Actor = BUYER, **params: Any) -> Any:
        """Say what a claim for a reason would meet."""
        act = Act(event="submit", actor=actor, params={"reason": reason} | params, probe=True)
        return outlook(self.aggregate, act, rules=self.rules, now=self.now)

    # bookkeeping

    def keep(self, decision: Decision) -> "Story":
        """Take over what was decided."""
        before = self.aggregate
        require(before, decision)
        self.decision, self.aggregate = decision, decision.aggregate
        self.entries += decision.entries
        self.effects = list(decision.effects)
        if decision.refund is not None and decision.refund not in before.refunds:
            self.refund = decision.refund
        return self

    def replayed(self) -> tuple[dict[str, Any], dict[str, int], dict[str, dict[str, Any]]]:
        """Return line, ledger and refunds as the replay of all entries makes them."""
        documents: dict[str, dict[str, Any]] = {self._line_subject: dict(self.first_line)}
        ledger = dict.fromkeys(("reserved", "in_flight", "settled", "charged_back", "excess"), 0)
        for entry in self.entries:
            document = merge(documents.get(entry.subject, {}), entry.patch)
            documents[entry.subject] = document | {"seq": entry.seq, "effective_at": entry.effective_at}
            for column, change in entry.ledger.items():
                ledger[column] += change
        return documents.pop(self._line_subject), ledger, documents

    @property
    def _line_subject(self) -> str:
        return line_subject(self.first_line["order_id"], self.first_line["line"])


def local(written: str) -> str:
    """Write a moment as Shanghai's time to the minute: what a test reads most easily."""
    return f"{times.moment(written).astimezone(ZONE):%Y-%m-%d %H:%M}"


def _default_rules() -> Rules:
    return rules()


def with_policy(**changes: Any) -> Rules:
    """Return the rules of a fresh installation with some values of the policy changed."""
    policy: Policy = replace(policies.default(), version="changed", **changes)
    return Rules(policy=policy, policies={policy.version: policy}, calendars=rules().calendars)


def entries_of(story: Story, *events: str) -> list[Entry]:
    """Return the entries of some events, in order."""
    return [entry for entry in story.entries if entry.event in events]


__all__ = [
    "BUYER", "CHANNEL", "INSTANT", "MONDAY", "MOVES", "SHOP", "SYSTEM", "ZONE", "Story", "agent", "auditor",
    "entries_of", "file",
    "finance", "local", "new_line", "rules", "service", "supervisor", "with_policy",
]  # fmt: skip
