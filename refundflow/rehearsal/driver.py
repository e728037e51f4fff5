"""Drives plans through the facade in order of time, and compares what became of them with the rule."""

import heapq
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from refundflow import policies
from refundflow.errors import BadInput, RefundflowError, Refused
from refundflow.gateways import FakeChannel
from refundflow.rehearsal.rule import HOUR, STAFF, BadRow, Complaint, Plan, Step, plan_of, read_complaints
from refundflow.rehearsal.summary import Problem, Summary, Tally
from refundflow.service import Refunds
from refundflow.values import Attachment, HistoryEntry, Refund
from states.policy import Policy, build

SHOP, SUPERVISOR, AUDITOR = "service:shop", "supervisor:chen", "auditor:rehearsal"
AFTERWARDS = timedelta(days=30)
SECOND_AFTER = timedelta(minutes=1)
PAYOUT_ROUNDS = 48  # hours in which a payout that is not settled at once is looked at again
Progress = Callable[[int, int], None]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
Summons = tuple[datetime, str, str, int]  # when, case, "step" | "second" | "pay", number of the step or look


def policy_for(given: Policy | None = None) -> Policy:
    """Return a policy (by default the packaged one) with assisted review off, as the rule asks."""
    content = json.loads(policies.content_of(given or policies.default()))
    for limits in content["money"].values():
        limits["small_claim_up_to"] = 0
    return build(content)


def rehearse(
    refunds: Refunds,
    rows: Iterable[Complaint | BadRow],
    channel: FakeChannel,
    progress: Progress | None = None,
) -> Summary:
    """Drive complaints through an empty rehearsal database; `progress` gets steps done and to do.

    Connect with ``policy=policy_for()`` and ``gateways={"fake": channel}``.

    Raises:
        BadInput: the database is a live one, or has been used before.
    """
    if not refunds.rehearsal:
        raise BadInput("rehearse needs a rehearsal database: refundflow init --rehearsal", field="database")
    if refunds.list(actor=AUDITOR, limit=1).refunds:
        raise BadInput(
            "rehearse needs an empty database, for time never goes backwards: name another one or remove it",
            field="database",
        )
    started = time.perf_counter()
    bad, plans = _sorted(rows)
    _register_staff(refunds)
    run = _Run(refunds, plans, progress or (lambda done, total: None))
    run.all()
    tally = Tally(bad_rows=bad, problems=run.problems)
    for case, plan in plans.items():
        tally.add(plan, *_looked_at(refunds, run.opened.get(case), channel, plan))
    verification = refunds.verify()
    return tally.summary(verification, seconds=time.perf_counter() - started)


def rehearse_file(
    url: str, path: str | os.PathLike[str], *, policy: Policy | None = None, progress: Progress | None = None
) -> Summary:
    """Rehearse a file in a new or empty rehearsal database, with a fake channel in memory.

    Raises:
        BadInput: the file cannot be used, or the database is live or in use.
    """
    rows = list(read_complaints(path))
    Refunds.init(url, rehearsal=True)
    channel = FakeChannel()
    with Refunds.connect(url, policy=policy_for(policy), gateways={channel.name: channel}) as refunds:
        return rehearse(refunds, rows, channel, progress)


def _sorted(rows: Iterable[Complaint | BadRow]) -> tuple[list[BadRow], dict[str, Plan]]:
    bad: list[BadRow] = []
    plans: dict[str, Plan] = {}
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            plans[row.case] = plan_of(row)
    return bad, plans


def _register_staff(refunds: Refunds) -> None:
    refunds.staff_add("chen", roles=("supervisor",), actor=SUPERVISOR)
    for name, roles in {**STAFF, "shop": ("service",)}.items():
        refunds.staff_add(name, roles=roles, actor=SUPERVISOR)


def _looked_at(
    refunds: Refunds, refund_id: str | None, channel: FakeChannel, plan: Plan
) -> tuple[Refund | None, tuple[HistoryEntry, ...], int]:
    if refund_id is None:
        return None, (), 0
    return (
        refunds.get(refund_id, actor=AUDITOR),
        refunds.history(refund_id, actor=AUDITOR),
        channel.paid(plan.order.payment_no),
    )


class _Run:
    """All plans at once: the next act is always the earliest one, for time never goes backwards."""

    def __init__(self, refunds: Refunds, plans: Mapping[str, Plan], progress: Progress) -> None:
        self.refunds, self.plans, self.progress = refunds, plans, progress
        self.opened: dict[str, str] = {}  # case → refund
        self.problems: list[Problem] = []
        self._queue: list[Summons] = []
        self._now = BEGINNING

    def all(self) -> None:
        """Take every step of every plan, then let time pass until everything due has lapsed."""
        total, done = sum(len(plan.steps) for plan in self.plans.values()), 0
        for case, plan in self.plans.items():
            self._summon(case, plan.steps[0].at or BEGINNING, "step", 0)
        while self._queue:
            self._now, case, kind, number = heapq.heappop(self._queue)
            if kind == "pay":
                self._pay(case, number)
                continue
            done += kind == "step"
            self._take(case, number, second=kind == "second")
            self.progress(done, total)
        while self.plans and self.refunds.work(at=self._now + AFTERWARDS):
            pass

    def _summon(self, case: str, at: datetime, kind: str, number: int) -> None:
        heapq.heappush(self._queue, (max(at, self._now), case, kind, number))

    def _take(self, case: str, number: int, *, second: bool) -> None:
        """Take one step, see what comes of it, and put in line what follows."""
        plan = self.plans[case]
        step = plan.steps[number]
        try:
            refund = self._act(plan, step, step.second if second and step.second else step.actor)
        except RefundflowError as error:
            codes = [b.code for b in error.blockers] if isinstance(error, Refused) else [error.code]
            if step.refused not in codes:
                self._differs(case, f"{step.event} was refused: {error.message}")
            return
        self.opened[case] = refund.id
        if step.refused is not None:
            self._differs(case, f"{step.event} was done; it should have been refused with {step.refused}")
        if refund.waiting and step.second is not None and not second:
            self._summon(case, self._now + SECOND_AFTER, "second", number)
            return
        if refund.phase == "approved":
            self._summon(case, self._now, "pay", 0)
        if number + 1 < len(plan.steps):
            self._summon(case, _when(plan.steps[number + 1], refund, self._now), "step", number + 1)

    def _differs(self, case: str, reason: str) -> None:
        self.problems.append(Problem(case=case, reason=reason))

    def _act(self, plan: Plan, step: Step, actor: str) -> Refund:
        if step.event == "submit":
            self.refunds.register_order(plan.order, actor=SHOP, at=self._now)
            return self.refunds.submit(
                plan.order.order_id, reason=plan.reason, note=plan.note, actor=actor, at=self._now
            )
        act = getattr(self.refunds, step.event)
        refund: Refund = act(self.opened[plan.order.order_id], actor=actor, at=self._now, **_told(step.event, plan))
        return refund

    def _pay(self, case: str, rounds: int) -> None:
        """Let the system work; while the payout is not settled, look again an hour later."""
        self.refunds.work(at=self._now)
        refund = self.refunds.get(self.opened[case], actor=AUDITOR)
        if refund.phase == "approved" and rounds < PAYOUT_ROUNDS:
            self._summon(case, self._now + HOUR, "pay", rounds + 1)


def _when(step: Step, refund: Refund, now: datetime) -> datetime:
    if step.at is not None:
        return step.at
    if step.after_due and refund.deadline is not None:
        return refund.deadline.due_at + step.after
    return now + step.after


def _told(event: str, plan: Plan) -> dict[str, Any]:
    """Return what an act says beside who and when."""
    match event:
        case "offer":
            return {"amount": 0, "compensation": plan.compensation, "message": "A voucher for the trouble."}
        case "reject":
            return {"grounds": [plan.ground], "message": "The records show that the order was carried out as agreed."}
        case "appeal":
            content = f"{plan.order.order_id}: what the screen showed".encode()
            return {"evidence": [Attachment(kind="screenshot", content=content, filename="screen.txt")]}
        case "uphold":
            return {"grounds": ["NO_NEW_GROUND"], "message": "The new evidence shows nothing that was not known."}
        case "overturn":
            return {"message": "The new evidence shows that the claim is right."}
        case _:
            return {}
