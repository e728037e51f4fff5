"""The proof of a whole database: it stands for honest moves, and every kind of forgery is found."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text

from refundflow import audit, migrations
from refundflow.audit import Verified
from refundflow.store import StaffRow, Store, Tx
from refundflow.vault import Vault
from tests.support.databases import Databases
from tests.support.moves import (
    LINE,
    ORDER,
    POLICY,
    REFUND,
    START,
    a_case,
    a_line,
    an_attempt,
    an_entry,
    change,
    register,
    submit,
)

pytestmark = pytest.mark.partitioned


def prepare(url: str) -> None:
    """Make two orders, a refund with a payout, refusals and keys."""
    with Store.create(url, rehearsal=True) as store, store.write() as tx:
        for order_id in (ORDER, "o2"):
            register(tx, a_line(order_id), key="k", key_scope=f"{order_id}/1", request_hash="h", key_entry=0)
            submit(tx, a_case(f"{order_id}-1-1", policy=POLICY))
        tx.put_policy(POLICY, "{}")
        change(tx, approved=500, attempts={"rf1": an_attempt()})
        change(tx, kind="refused")
        for seq, name in enumerate(("mei", "li"), 1):
            appoint(tx, name, seq)


def appoint(tx: Tx, name: str, seq: int) -> None:
    """Register an agent, as an entry of the register."""
    said = {"roles": ["agent"], "active": True}
    entry = replace(an_entry({}, dict(a_line(seq=seq)), subject="staff", kind="fact"), patch={name: said})
    [sealed] = audit.seal([entry], heads={"staff": tx.head("", "staff").hash}, recorded_at=START)
    tx.append_register_entry("staff", sealed)
    tx.put_staff(StaffRow(name=name, roles=("agent",), active=True, document=said))


@pytest.fixture
def url(databases: Databases) -> str:
    """Copy the prepared database."""
    return databases.copy_of("verify", prepare)


@pytest.fixture
def forger(url: str) -> Iterator[Connection]:
    """Open a connection for somebody who may do everything: the guards are down."""
    with migrations.connect(url, write=True) as connection:
        if connection.dialect.name == "sqlite":
            for name in ("transitions_no_update", "transitions_no_delete", "payouts_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        else:
            connection.exec_driver_sql("ALTER TABLE refunds DROP CONSTRAINT fk_refunds_order_lines")
            for name in ("transitions", "payouts"):
                connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        yield connection


def verified(url: str) -> Verified:
    """Verify the database."""
    with Store.open(url) as store, store.read() as tx:
        return audit.verify(tx, Vault(store.secret, store.rehearsal))


def test_honest_moves_are_proven(url: str) -> None:
    """Nothing is found, and everything was walked along."""
    told: list[int] = []
    with Store.open(url) as store, store.read() as tx:
        found = audit.verify(tx, Vault(store.secret, store.rehearsal), progress=told.append)
    assert found.findings == () and (found.chains, found.entries) == (5, 8) == (len(told), sum(told))


def test_an_empty_database_is_proven(databases: Databases) -> None:
    """Where nothing happened nothing is wrong."""
    url = databases.empty()
    Store.create(url, rehearsal=True).close()
    assert verified(url) == Verified(chains=0, entries=0, findings=())


@pytest.mark.parametrize(
    ("statement", "subject", "what"),
    [
        ("DELETE FROM transitions WHERE subject = 'o1-1-1' AND seq = 2", REFUND, "a gap"),
        ("DELETE FROM transitions WHERE subject = 'o1-1-1' AND seq = 3", REFUND, "the stored head"),
        ("DELETE FROM transitions WHERE subject = 'o1-1-1'", REFUND, "a row without a chain"),
        ("UPDATE transitions SET hash = 'x' WHERE subject = 'o1-1-1' AND seq = 1", REFUND, "not the hash of the body"),
        ("UPDATE transitions SET event = 'x' WHERE subject = 'o1/1'", LINE, "the column event"),
        ("UPDATE transitions SET kind = 'applied' WHERE subject = 'o1-1-1' AND seq = 3", REFUND, "the column kind"),
        ("UPDATE transitions SET actor_name = 'x' WHERE subject = 'o1/1'", LINE, "the column actor_name"),
        ("UPDATE transitions SET key = 'other' WHERE subject = 'o1/1'", LINE, "the column key"),
        ("UPDATE transitions SET key_scope = 'o1-1-1' WHERE subject = 'o1/1'", LINE, "the column key_scope"),
        ("UPDATE transitions SET recorded_at = effective_at, effective_at = '2020-01-01T00:00:00.000000Z'"
         " WHERE subject = 'o1/1'", LINE, "the column effective_at"),
        ("UPDATE refunds SET state = 'appealed' WHERE id = 'o1-1-1'", REFUND, "the stored state"),
        ("UPDATE refunds SET document = '{}' WHERE id = 'o1-1-1'", REFUND, "the stored document"),
        ("UPDATE refunds SET abused = NOT abused WHERE id = 'o1-1-1'", REFUND, "the stored abused"),
        ("UPDATE refunds SET next_due_at = submitted_at WHERE id = 'o1-1-1'", REFUND, "the stored next_due_at"),
        ("UPDATE order_lines SET reserved = 400 WHERE order_id = 'o1'", LINE, "the stored reserved"),
        ("UPDATE order_lines SET buyer = 'b9' WHERE order_id = 'o1'", LINE, "the stored buyer"),
        ("UPDATE payouts SET amount = 400", REFUND, "the payout rf1"),
        ("UPDATE payouts SET number = 'rf2'", REFUND, "the payout rf1 has no row"),
        ("DELETE FROM refunds WHERE id = 'o1-1-1'", REFUND, "a chain without a row"),
        ("UPDATE staff SET roles = '[\"finance\"]' WHERE name = 'li'", "staff", "the person li"),
        ("UPDATE staff SET active = NOT active WHERE name = 'mei'", "staff", "the person mei"),
        ("DELETE FROM staff WHERE name = 'mei'", "staff", "the person mei has no row"),
        ("INSERT INTO staff SELECT 'zoe', roles, active, document FROM staff WHERE name = 'li'", "staff", "zoe"),
        ("DELETE FROM order_lines WHERE order_id = 'o1'", LINE, "refunds of a line that has no row"),
        ("UPDATE order_lines SET document = 'no JSON' WHERE order_id = 'o1'", LINE, "the stored document"),
    ],
)  # fmt: skip
def test_every_forgery_is_found(url: str, forger: Connection, statement: str, subject: str, what: str) -> None:
    """Whatever was changed, removed or added past the service is named by chain and problem, and nothing else is."""
    forger.execute(text(statement))
    forger.commit()
    findings = verified(url).findings
    assert any(finding.subject == subject and what in finding.what for finding in findings)
    assert {finding.subject for finding in findings} <= ({"staff"} if subject == "staff" else {LINE, REFUND})


def test_a_row_that_cannot_be_read_is_a_finding(url: str, forger: Connection) -> None:
    """Rubbish in a row is told as what it is, never as a failure of the verification."""
    forger.execute(text("UPDATE staff SET roles = 'no JSON' WHERE name = 'li'"))
    forger.commit()

    assert ["cannot be read" in finding.what for finding in verified(url).findings] == [True]


def test_a_body_that_was_changed_is_found(url: str, forger: Connection) -> None:
    """A changed body, even with a new hash of its own, breaks the chain behind it."""
    find = text("SELECT body FROM transitions WHERE subject = 'o1-1-1' AND seq = 1")
    body: dict[str, Any] = json.loads(forger.execute(find).scalar_one())
    forged = audit.canonical(body | {"policy": "other"})
    change_it = text("UPDATE transitions SET body = :body, hash = :hash WHERE subject = 'o1-1-1' AND seq = 1")
    forger.execute(change_it, {"body": forged, "hash": hashlib.sha256(forged).hexdigest()})
    forger.commit()
    assert [str(item) for item in verified(url).findings] == ["o1-1-1#2: it does not hold the hash of the entry before"]


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"{}"])
def test_a_body_that_cannot_be_read_is_found(url: str, forger: Connection, body: bytes) -> None:
    """Rubbish is a finding, not a crash."""
    forger.execute(text("UPDATE transitions SET body = :body WHERE subject = 'o1/1'"), {"body": body})
    forger.commit()
    assert any(item.what.startswith("the body cannot be read") for item in verified(url).findings)


@pytest.mark.parametrize(
    ("statement", "field", "replayed"),
    [
        ("DELETE FROM transitions WHERE subject = 'o1-1-1'", "chain", "(missing)"),
        ("DELETE FROM transitions WHERE subject = 'o1-1-1' AND seq = 1", "document", "no whole document: KeyError("),
    ],
)
def test_a_replay_tells_of_a_row_that_its_chain_does_not_give(
    url: str, forger: Connection, statement: str, field: str, replayed: str
) -> None:
    """Entries that were taken away, all or the first, leave a row that stands for nothing."""
    forger.execute(text(statement))
    forger.commit()

    with Store.open(url) as store, store.read() as tx:
        found = [item for item in audit.compare(tx).differences if item.subject == REFUND]

    assert [(item.field, item.stored) for item in found] == [(field, "a row")]
    assert str(found[0].replayed).startswith(replayed)
