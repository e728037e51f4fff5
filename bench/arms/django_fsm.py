"""What many would write: Django with django-fsm-2 and django-fsm-log.

The same unit of work as `request_evidence`: the row is read and locked, a guard is asked, the state and the deadline
change, the log row, an outbox row and a row with the unique idempotency key are added (the log of the package has no
place for a key), one commit; the answer is the object that was saved, with the transitions that are possible next. Left
out: as in `bench.arms.orm`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

from bench.serving import Move, serve

ROUNDS = 2  # of evidence
CHART = {  # the other transitions: from where to where
    "begin_review": (["submitted"], "reviewing"),
    "submit_evidence": (["awaiting_evidence"], "reviewing"),
    "offer": (["reviewing"], "negotiating"),
    "answer": (["negotiating"], "reviewing"),
    "approve": (["reviewing", "appealed"], "approved"),
    "reject": (["reviewing", "awaiting_evidence"], "rejected"),
    "appeal": (["rejected"], "appealed"),
    "uphold": (["appealed", "rejected"], "closed"),
    "pay": (["approved", "payout_failed"], "paying"),
    "fail": (["paying"], "payout_failed"),
    "settle": (["paying"], "settled"),
    "confirm": (["settled"], "confirmed"),
    "withdraw": (["submitted", "reviewing"], "withdrawn"),
}


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Set Django up, make the tables and fill them."""
    settings.configure(
        DATABASES={"default": _database(plan["url"], plan["synchronous"])},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_fsm", "django_fsm_log"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command
    from django.db import connection, models, transaction
    from django.utils import timezone
    from django_fsm import FSMField, transition
    from django_fsm_log.decorators import fsm_log_description

    others = {
        name: transition(field="state", source=sources, target=target)(_named(name))
        for name, (sources, target) in CHART.items()
    }

    class Refund(type("Others", (), others), models.Model):  # type: ignore[misc]
        """One refund."""

        order_id = models.CharField(max_length=64, db_index=True)
        buyer = models.CharField(max_length=64)
        state = FSMField(default="submitted", protected=True)
        amount = models.BigIntegerField()
        rounds = models.IntegerField(default=0)
        due_at = models.DateTimeField(null=True, db_index=True)

        class Meta:
            app_label = "bench"

        def rounds_left(self) -> bool:
            """Tell whether evidence may be asked for once more."""
            return bool(self.rounds < ROUNDS)

        @fsm_log_description
        @transition(field=state, source="reviewing", target="awaiting_evidence", conditions=[rounds_left])
        def request_evidence(self, description: str = "") -> None:
            """Count the round and set the deadline."""
            self.rounds += 1
            self.due_at = timezone.now() + timedelta(hours=48)

    class Outbox(models.Model):
        """What must leave."""

        refund = models.ForeignKey(Refund, on_delete=models.PROTECT)
        kind = models.CharField(max_length=64)
        payload = models.TextField()
        next_try_at = models.DateTimeField(null=True, db_index=True)

        class Meta:
            app_label = "bench"

    class Key(models.Model):
        """One idempotency key that was used."""

        refund = models.ForeignKey(Refund, on_delete=models.PROTECT)
        key = models.CharField(max_length=128)

        class Meta:
            app_label = "bench"
            constraints = (models.UniqueConstraint(fields=["refund", "key"], name="key_once"),)

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in (Refund, Outbox, Key):
            editor.create_model(model)
    with transaction.atomic():
        Refund.objects.bulk_create(
            (
                Refund(id=n, order_id=f"A{n}", buyer="mei", state="reviewing", amount=10_000, due_at=timezone.now())
                for n in range(1, plan["refunds"] + 1)
            ),
            batch_size=1000,
        )

    def make(_: str, number: int) -> None:
        with transaction.atomic():
            refund = Refund.objects.select_for_update().get(pk=plan["numbers"][number])
            refund.request_evidence(description="agent:li")
            refund.save()
            Key.objects.create(refund=refund, key="request_evidence")
            Outbox.objects.create(
                refund=refund, kind="EVIDENCE_REQUESTED", payload='["screenshot"]', next_try_at=timezone.now()
            )
        [possible.name for possible in refund.get_available_state_transitions()]

    yield make, {name: version(name) for name in ("Django", "django-fsm-2", "django-fsm-log")}
    connection.close()


def _named(name: str) -> Callable[[Any], None]:
    def move(_: Any) -> None:
        """Change the state and nothing else."""

    move.__name__ = name
    return move


def _database(url: str, synchronous: str) -> dict[str, Any]:
    if url.startswith("sqlite:"):
        settings = f"PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}"
        return {
            "ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": {"init_command": settings, "transaction_mode": "IMMEDIATE"},
        }  # fmt: skip
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": parts.path.removeprefix("/"), "USER": parts.username,
        "HOST": parts.hostname, "PORT": parts.port, "OPTIONS": {"server_side_binding": True},
    }  # fmt: skip


if __name__ == "__main__":
    serve(opened)
