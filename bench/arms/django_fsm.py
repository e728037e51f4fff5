"""What many would write who need refundflow's guarantees: Django with django-fsm-2 and django-fsm-log.

The same unit of work as `request_evidence` (`bench.arms.django_refunds`), on tables of the same width: register of
staff, order line with its ledger (locked on PostgreSQL), refund, buyer and idempotency key are read, the transition of
a chart as large as `refund/1` is asked with its permission and its conditions, the document and its deadline change,
the entry is chained and hashed, the refund is compared and set (by its state, as the package does it), the effect is
added, one commit; the answer is the object that was saved with the transitions that are possible next.

More than refundflow: the package's own log row, for which one picks it; it has no place for a key, a body or a hash, so
that the entry stands beside it. Less: the row is not read back; the tables have no CHECKs, no foreign keys, no guards
against changed entries and only those indexes that the move touches; and what `bench.arms.orm` says it does less.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

from bench.arms import beside, unit
from bench.lived import place, settle
from bench.serving import Move, serve


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Set Django up, make the tables and fill them."""
    settings.configure(
        DATABASES={"default": _database(plan["url"], plan["synchronous"])},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_fsm", "django_fsm_log"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, CHART=plan["chart"],
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from bench.arms.django_refunds import MODELS, request_evidence

    call_command("migrate", verbosity=0)
    tables = {model._meta.db_table: model for model in MODELS}
    with connection.schema_editor() as editor:
        for model in tables.values():
            editor.create_model(model)
    with transaction.atomic():
        for table, rows in beside.rows(plan):
            model = tables[table]
            renamed = ({"name" if name == "id" else name: value for name, value in row.items()} for row in rows)
            model.objects.bulk_create([model(**row) for row in renamed])
    settle(plan["url"])

    def make(_: str, number: int) -> None:
        request_evidence(unit.Request(*place("N", plan["numbers"][number])))

    yield make, {name: version(name) for name in ("Django", "django-fsm-2", "django-fsm-log")}
    connection.close()


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
