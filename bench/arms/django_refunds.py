"""The models of refunds in Django and what is done with them, to be imported when Django is set up (`django_fsm`).

`CHART` of the settings is the chart: rows of event, from where, to where, guards.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import BigIntegerField, DateTimeField, Q, TextField
from django_fsm import GET_STATE, ConcurrentTransitionMixin, FSMField, has_transition_perm, transition
from django_fsm_log.decorators import fsm_log_description

from bench.arms import unit

GUARDS: Mapping[str, Callable[[Any], bool]] = {  # of the chart
    "in_appeal": lambda refund: bool(refund.case["instance"] == "appeal"),
    "evidence_came": lambda refund: bool(refund.case["evidence"]),
    "refund_part": lambda refund: True,
}


def _where_set(name: str, *fields: str) -> Any:
    return models.Index(fields=fields, name=name, condition=Q(**{f"{fields[0]}__isnull": False}))


def _chart() -> Iterator[tuple[str, Any]]:
    """Yield the other transitions of the chart, each with all places where it begins."""
    for event, of_event in groupby(sorted(settings.CHART), key=lambda row: row[0]):
        move = _named(event)
        for source, found in groupby(of_event, key=lambda row: row[1]):
            ways = [(target, guards) for _, _, target, guards in found]
            target = _first_of(ways) if len(ways) > 1 else ways[0][0]  # a way alone is not guarded
            move = transition(field="state", source=source, target=target)(move)
        if event != unit.EVENT:
            yield event, move


def _named(name: str) -> Callable[[Any], None]:
    def move(_: Any) -> None:
        """Change the state and nothing else."""

    move.__name__ = name
    return move


def _first_of(ways: Sequence[tuple[str, Sequence[str]]]) -> Any:
    """Return the target that is the first of several whose guards hold (``!`` negates)."""

    def holds(refund: Any, guard: str) -> bool:
        return GUARDS[guard.removeprefix("!")](refund) is not guard.startswith("!")

    def target(refund: Any, *_: Any, **__: Any) -> str:
        return next(target for target, guards in ways if all(holds(refund, guard) for guard in guards))

    return GET_STATE(target, states=[target for target, _ in ways])


class Staff(models.Model):
    """One registered person."""

    name = TextField(primary_key=True)
    roles = TextField()
    active = models.BooleanField()
    document = TextField()

    class Meta:
        app_label, db_table = "bench", "staff"


class Buyer(models.Model):
    """One buyer with the key of what can identify him."""

    ref = TextField(primary_key=True)
    lookup = TextField(null=True, unique=True)
    key = models.BinaryField(null=True)
    cipher = models.BinaryField(null=True)

    class Meta:
        app_label, db_table = "bench", "buyers"


class OrderLine(models.Model):
    """One order line with its ledger."""

    order_id, line, buyer = TextField(), TextField(), TextField()
    payment_no = TextField(db_index=True)
    channel, currency = TextField(), TextField()
    captured, reserved, in_flight = BigIntegerField(), BigIntegerField(), BigIntegerField()
    settled, charged_back, excess = BigIntegerField(), BigIntegerField(), BigIntegerField()
    document, seq, head = TextField(), BigIntegerField(), TextField()
    version, refusal, repeats = BigIntegerField(), TextField(null=True), models.IntegerField()

    class Meta:
        app_label, db_table = "bench", "order_lines"
        constraints = (models.UniqueConstraint(fields=["order_id", "line"], name="one_line"),)


class Refund(ConcurrentTransitionMixin, type("Others", (), dict(_chart())), models.Model):  # type: ignore[misc]
    """One refund."""

    number = models.BigAutoField(primary_key=True)
    order_id = TextField()
    name = TextField(db_column="id", unique=True)
    line = TextField()
    state = FSMField(protected=True)
    buyer, submitted_at = TextField(), DateTimeField()
    next_due_at, next_warn_at = DateTimeField(null=True), DateTimeField(null=True)
    warned_at, clear_due_at = DateTimeField(null=True), DateTimeField(null=True)
    assignee = TextField(null=True)
    claimed, approved = BigIntegerField(), BigIntegerField()
    in_flight, settled = BigIntegerField(), BigIntegerField()
    abused = models.BooleanField()
    document, seq, head = TextField(), BigIntegerField(), TextField()
    version, refusal, repeats = BigIntegerField(), TextField(null=True), models.IntegerField()

    class Meta:
        app_label, db_table = "bench", "refunds"
        indexes = (_where_set("due", "next_due_at", "name", "state"), _where_set("warn", "next_warn_at", "name"))

    @cached_property
    def case(self) -> unit.Document:
        """Return the document as it was read."""
        document: unit.Document = json.loads(self.document)
        return document

    def may_ask(self, actor: tuple[str, Staff]) -> bool:
        """Tell whether a person may ask in a role."""
        role, staff = actor
        return unit.may_act(role, staff.roles, staff.active)

    def is_in_time(self) -> bool:
        """Tell whether no deadline has lapsed."""
        return unit.is_in_time(self.case, datetime.now(UTC))

    def has_rounds_left(self) -> bool:
        """Tell whether evidence may be asked for once more."""
        return unit.has_rounds_left(self.case)

    @fsm_log_description
    @transition(
        field=state, source=["under_review.reviewing", "appealed"], target="awaiting_evidence",
        conditions=[is_in_time, has_rounds_left], permission=may_ask,
    )  # fmt: skip
    def request_evidence(self, request: unit.Request, now: datetime, description: str = "") -> unit.Document:
        """Count the round and let the deadline follow; return what the document changes by."""
        return unit.changes(self.case, request, now)


class Transition(models.Model):
    """One entry of a chain."""

    gid = models.BigAutoField(primary_key=True)
    order_id, subject, seq = TextField(), TextField(), BigIntegerField()
    kind, event = TextField(), TextField()
    before, after = TextField(null=True), TextField(null=True)
    effective_at, recorded_at = DateTimeField(), DateTimeField()
    actor_role, actor_name = TextField(), TextField()
    key_scope, key, request_hash = TextField(null=True), TextField(null=True), TextField(null=True)
    body, hash = models.BinaryField(), TextField()

    class Meta:
        app_label, db_table = "bench", "transitions"
        constraints = (
            models.UniqueConstraint(fields=["order_id", "subject", "seq"], name="one_entry"),
            models.UniqueConstraint(
                fields=["order_id", "key_scope", "key"], name="key_once", condition=Q(key__isnull=False)
            ),
        )


class Effect(models.Model):
    """What must leave the process."""

    order_id, subject, seq = TextField(), TextField(), BigIntegerField()
    kind, code, params = TextField(), TextField(), TextField()
    effective_at, recorded_at = DateTimeField(), DateTimeField()
    tries = models.IntegerField()
    next_try_at, problem = DateTimeField(null=True), TextField(null=True)

    class Meta:
        app_label, db_table = "bench", "effects"
        indexes = (
            _where_set("waiting", "next_try_at"), models.Index(fields=["kind", "next_try_at"], name="of_kind"),
            models.Index(fields=["order_id", "subject", "id"], name="of_subject"),
        )  # fmt: skip


MODELS = (Staff, Buyer, OrderLine, Refund, Transition, Effect)


def request_evidence(request: unit.Request) -> Mapping[str, Any]:
    """Carry the request out and commit; return the refund and what is possible next.

    Raises:
        Refused, TransitionNotAllowed: it is not possible now.
    """
    with transaction.atomic():
        line = OrderLine.objects.select_for_update().get(order_id=request.order_id, line="1")
        refund = Refund.objects.get(order_id=request.order_id, name=request.refund)
        staff = Staff.objects.get(name=request.name)
        digest = unit.named(request, bytes(Buyer.objects.get(ref=line.buyer).key))
        used = Transition.objects.filter(order_id=request.order_id, key_scope=request.refund, key=request.key).first()
        if used is not None and used.request_hash != digest:
            raise unit.Refused("KEY_REUSED")
        if used is None:
            if not has_transition_perm(refund.request_evidence, (request.role, staff)):
                raise unit.Refused("NOT_POSSIBLE")
            if not unit.are_kinds(request.kinds):
                raise unit.Refused("UNKNOWN_KIND")
            now = datetime.now(UTC)
            patch = refund.request_evidence(request, now, description=f"{request.role}:{request.name}")
            patch["state"] = refund.state
            document = unit.changed(refund.case, patch, now)
            entry = Transition.objects.create(
                **unit.entry(request, refund.case, patch, digest=digest, head=refund.head, now=now)
            )
            for name, value in unit.columns(document, entry.hash).items():
                setattr(refund, name, value)
            refund.version += 1
            refund.save()
            Effect.objects.create(**unit.effect(request, document, now))
    return {**refund.__dict__, "possible": [found.name for found in refund.get_available_state_transitions()]}
