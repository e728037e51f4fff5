"""PostgreSQL that forbids something: a role without privileges, a server that may only be read, or that is full."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import text

from refundflow import migrations
from refundflow.doctor import Diagnosis, examine
from refundflow.errors import Busy, Misconfigured
from refundflow.service import Refunds
from refundflow.worker import Worker
from tests.integration.test_distributed import GRANTS
from tests.support.databases import Databases
from tests.support.market import LI, Market, prepare_live

ROLE = "forbidden_clerk"


@pytest.fixture
def owned(postgres_databases: Databases) -> str:
    """Give a live database as its owner sees it."""
    return postgres_databases.copy_of("live", prepare_live)


@pytest.fixture
def served(owned: str) -> Iterator[str]:
    """Give the same database as a role sees it that has all that the service needs."""
    says(owned, f"CREATE ROLE {ROLE} LOGIN", *(grant.format(ROLE) for grant in GRANTS))
    yield owned.replace("postgres@", f"{ROLE}@")
    says(owned, f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")


def says(url: str, *statements: str) -> None:
    """Run statements as the role of the URL."""
    with migrations.connect(url, write=True) as connection:
        for statement in statements:
            connection.execute(text(statement))


def looked_at(url: str, what: str) -> Diagnosis:
    """Return what the doctor says of one thing."""
    return next(found for found in examine(url) if found.what == what)


@contextmanager
def only_read(owned: str) -> Iterator[None]:
    """Let every session of the role begin as on a standby."""
    says(owned, f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    yield
    says(owned, f"ALTER ROLE {ROLE} RESET default_transaction_read_only")


def test_a_role_without_privileges_is_told_what_it_lacks(owned: str, served: str) -> None:
    """Neither opening nor a move ends in the driver's own error, and the doctor names what to grant."""
    says(owned, f"REVOKE UPDATE ON refunds FROM {ROLE}", f"REVOKE DELETE ON personal, effects FROM {ROLE}")
    with closing(Market(served)) as market:
        refund = market.to("submitted")
        with pytest.raises(Misconfigured, match="permission denied for table refunds"):
            market.act(refund, "begin_review", LI)
        assert market.get(refund).state == "submitted"
    found = looked_at(served, "privileges")
    assert found.verdict == "failed"
    assert "DELETE on effects, personal" in found.detail and "UPDATE on refunds" in found.detail

    says(owned, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}")
    for call in (Refunds.connect, Refunds.init, migrations.upgrade):
        with pytest.raises(Misconfigured, match="permission denied"):
            call(served)
    assert looked_at(served, "database").verdict == "failed"


def test_a_worker_without_privileges_says_so_until_it_has_them(
    owned: str, served: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No line is called damaged for what its role may not do, and once it may the worker goes on."""
    with closing(Market(served)) as market:
        refund = market.to("approved.payable")
        says(owned, f"REVOKE INSERT, UPDATE ON payouts FROM {ROLE}")
        worker = Worker(market.refunds)

        def mend(seconds: float, stop: object) -> None:
            says(owned, f"GRANT INSERT, UPDATE ON payouts TO {ROLE}")
            worker.stop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(market.refunds, "wait_for_work", mend)
            worker.run()
        assert "permission denied for table payouts" in caplog.text and "stands still" not in caplog.text
        market.refunds.work()
        assert market.get(refund).state == "paid_out.settled"


def test_a_server_that_may_only_be_read_is_told(owned: str, served: str) -> None:
    """On a standby everything can be looked at; a move names the reason, and so does the doctor."""
    with closing(Market(served)) as market:
        refund = market.to("submitted")
    with only_read(owned), closing(Market(served)) as market:
        assert market.get(refund).state == "submitted"
        acts: tuple[Callable[[], object], ...] = (lambda: market.act(refund, "begin_review", LI), market.submit)
        for act in acts:
            with pytest.raises(Misconfigured, match="only be read"):
                act()
        found = looked_at(served, "database")
        assert found.verdict == "failed" and "only be read" in found.detail
    standby = psycopg.errors.FeatureNotSupported("cannot set transaction read-write mode during recovery")
    assert "only be read" in str(migrations.forbidden(standby))


def test_the_doctor_survives_a_database_that_is_broken(owned: str) -> None:
    """What cannot be looked at is a failure with its reason, and the rest is looked at."""
    says(owned, "DROP TABLE tiles CASCADE", "DROP TABLE buyers CASCADE")
    found = {item.what: item for item in examine(owned)}
    assert "log" in found and any("does not exist" in item.detail for item in found.values())
    assert all("\n" not in item.detail for item in found.values())


def test_a_server_that_is_full_is_busy(owned: str, served: str) -> None:
    """It is not the setting that is wrong: the same call can be made again."""
    says(owned, f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")
    with psycopg.connect(served), pytest.raises(Busy, match="too many connections"):
        Refunds.connect(served)


def test_who_waits_for_a_server_is_told_why(owned: str, served: str) -> None:
    """That the server takes no connection is said, not that it is busy."""
    with closing(Market(served)) as market:
        refund = market.to("submitted")
        says(owned, f"ALTER ROLE {ROLE} NOLOGIN")
        with psycopg.connect(owned, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
        with pytest.raises(Busy, match=r"the server (went away|takes no connection)") as told:
            market.get(refund)
        assert "\n" not in told.value.message
        with pytest.raises(Busy, match="not permitted to log in"):
            market.act(refund, "begin_review", LI)
