"""A short history with everything in it that can be attacked, and somebody who may do everything to it."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from refundflow import audit
from refundflow.audit import Outside
from refundflow.proof.folder import Folder
from refundflow.proof.keys import write_key
from refundflow.proof.notes import SigningKey
from refundflow.service import Refunds
from refundflow.store import Tx
from refundflow.store.sessions import Session
from refundflow.store.statements import DialectName
from refundflow.store.store import REHEARSAL_SECRET
from refundflow.vault import Vault
from tests.support.documents import ROOT
from tests.support.market import BUYER, CHEN, LI, Market, a_file

CALENDAR = '{"name":"cn","first":"2027-01-01","last":"2027-12-31","holidays":["2027-01-01"],"makeup":[]}'
TARGET = "A2-1-1"  # the refund that attacks aim at: paid out, with a text, evidence and a payout


@dataclass(kw_only=True)
class Scene:
    """A database with its history, and what is known outside of it."""

    url: str
    folder: Path
    held: dict[str, str] = field(default_factory=dict)  # one earlier checkpoint, by name
    backup: str = ""  # the URL of a copy from before that checkpoint

    @property
    def outside(self) -> Outside:
        """Return what an auditor knows who holds one earlier checkpoint."""
        return Outside(held=self.held)

    @property
    def published(self) -> Outside:
        """Return what somebody knows who reads what was published."""
        return Outside(place=Folder(self.folder / "log"))


def play(scene: Scene) -> None:
    """Live through the history: three checkpoints, the second of which the auditor keeps; entries behind the last."""
    Refunds.init(scene.url, rehearsal=True)
    market = Market(scene.url, signing_key=scene.folder / "log.key", checkpoints=str(scene.folder / "log"))
    refunds = market.refunds
    write_key(scene.folder / "log.key", SigningKey("shop.example/refunds", b"k" * 32))  # so that the page says the same
    refunds.key_create(actor=CHEN, origin="shop.example/refunds", at=market.at)
    for name, role in (("li", "agent"), ("chen", "supervisor")):
        refunds.staff_add(name, roles=[role], actor=CHEN, at=market.at)
    refunds.calendar_import(CALENDAR, source="2027.json", actor=CHEN, at=market.at)
    market.order("A1")
    market.to("withdrawn")
    refunds.checkpoint(at=market.at)
    refunds.engine.store.close()
    scene.backup = _copied(scene)
    market.later(hours=2)
    paid = market.to("paid_out.settled", note="It never worked.", evidence=[a_file()])
    assert paid == TARGET, paid
    refunds.checkpoint(at=market.at)
    scene.held = {"held by the auditor": refunds.checkpoints()[-1].note or ""}
    market.later(hours=2)
    rejected = market.to("rejected.appealable")
    market.act(rejected, "withdraw", BUYER)
    refunds.checkpoint(at=market.at)
    market.later(hours=2)
    market.act(TARGET, "note", LI, message="Not under a checkpoint yet.")
    market.close()


def _copied(scene: Scene) -> str:
    """Copy the database as it stands, as a backup does."""
    if scene.url.startswith("sqlite"):
        copy = scene.folder / "backup.db"
        shutil.copyfile(scene.url.removeprefix("sqlite:///"), copy)
        return f"sqlite:///{copy}"
    server, _, name = scene.url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
    return f"{scene.url}_backup"


class Forger:
    """One transaction of somebody who owns the database: guards and checks are down, and nothing stays."""

    def __init__(self, connection: Any, dialect: DialectName, scene: Scene) -> None:
        self._connection, self.dialect, self.scene = connection, dialect, scene

    def run(self, statement: str, **values: Any) -> None:
        """Run one statement; parameters are written ``:name``."""
        self._connection.execute(self._own(statement), values)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Return the rows of a question."""
        found: list[Any] = self._connection.execute(self._own(statement), values).fetchall()
        return found

    def _own(self, statement: str) -> str:
        return statement if self.dialect == "sqlite" else re.sub(r":([a-z_]+)", r"%(\1)s", statement)

    def findings(self, outside: Outside) -> list[str]:
        """Return what verification finds now."""
        tx = Tx(Session(self._connection, self.dialect))
        found = audit.verify(tx, Vault(REHEARSAL_SECRET, rehearsal=True), outside=outside)
        return [str(item) for item in found.findings]


@contextmanager
def forging(scene: Scene) -> Iterator[Forger]:
    """Open the database for a forger; whatever he did is rolled back at the end."""
    if scene.url.startswith("sqlite"):
        database = sqlite3.connect(scene.url.removeprefix("sqlite:///"), isolation_level=None)
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("BEGIN")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        try:
            yield Forger(database, "sqlite", scene)
        finally:
            database.execute("ROLLBACK")
            database.close()
        return
    with psycopg.connect(scene.url, autocommit=True) as server:
        server.execute("BEGIN")
        for table, name, kind in server.execute(_CONSTRAINTS).fetchall():
            if kind in ("c", "f"):
                server.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for table in ("transitions", "payouts", "tiles", "checkpoints"):
            server.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield Forger(server, "postgresql", scene)
        finally:
            server.execute("ROLLBACK")


_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, contype FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY contype"""
PAGE = ROOT / "docs" / "reference" / "tampering.md"
