"""The schema on both databases: its history, its guards, and that it is what the tables say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from refundflow import errors, migrations
from refundflow.store import Store
from refundflow.tables import FINAL, KINDS, LEAVES, Base
from states.refund_v1 import TABLE
from tests.support.databases import Databases
from tests.support.market import BUYER, LI, Market, a_file
from tests.support.moves import register, submit

# SQLite numbers rows by their primary key only: there `gid` is it, and the chain's own key is a constraint.
OWN_TO_SQLITE = {"uq_transitions_order_id_subject_seq", "ix_transitions_gid"}


@pytest.fixture
def url(databases: Databases) -> str:
    """Make a database with one refund in it."""
    made = databases.empty()
    with Store.create(made, rehearsal=False) as store, store.write() as tx:
        register(tx)
        submit(tx)
    return made


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """Open a connection past the store, as an operator could."""
    with migrations.connect(url, write=True) as opened:
        yield opened


@pytest.mark.partitioned(False)
def test_the_migrations_make_what_the_tables_say(connection: Connection) -> None:
    """Nothing is left to migrate when all migrations have run."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    left = compare_metadata(context, Base.metadata)
    if connection.dialect.name == "sqlite":
        left = [change for change in left if getattr(change[1], "name", None) not in OWN_TO_SQLITE]
    assert left == []


def test_every_revision_is_listed() -> None:
    """The list of revisions is the files, in order."""
    files = sorted(Path(migrations.__file__).parent.glob("versions/m*.py"))
    assert tuple(file.name[1:5] for file in files) == migrations.REVISIONS


def test_the_checks_are_made_from_the_chart() -> None:
    """The leaves of the tables are those of the chart."""
    assert set(LEAVES) == set(TABLE.leaves) and set(FINAL) == set(TABLE.final)
    assert set(KINDS) == {"applied", "refused", "fact", "imported", "migrated"}


@pytest.mark.partitioned(False)
def test_upgrade_says_what_it_will_do_and_does_it_once(database_url: str) -> None:
    """An empty database needs everything; after that nothing is pending."""
    assert [step.name for step in migrations.pending(database_url)] == list(migrations.REVISIONS)
    assert [step.name for step in migrations.upgrade(database_url)] == list(migrations.REVISIONS)
    assert migrations.pending(database_url) == migrations.upgrade(database_url) == ()


def test_asking_what_is_pending_makes_no_file(sqlite_url: str) -> None:
    """A look does not create a database."""
    migrations.pending(sqlite_url)
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_a_new_file_is_for_nobody_else_to_read(sqlite_url: str) -> None:
    """Texts of buyers lie in it beside their keys; what SQLite makes beside it is as private."""
    migrations.upgrade(sqlite_url)
    with Store.create(sqlite_url, rehearsal=False) as store, store.write() as tx:
        register(tx)
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        made = [file for file in path.parent.glob(f"{path.name}*") if file.suffix != ".lock"]
        assert len(made) == 3 and not any(file.stat().st_mode & 0o077 for file in made)


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    """It may hold a password."""
    with pytest.raises(errors.BadInput) as refusal:
        migrations.parse("postgresql://refunds:hunter2@host:port/shop")
    assert "hunter2" not in str(refusal.value) and "sqlite:///" in refusal.value.message


@pytest.mark.parametrize("password", ["hunt@r2", "hunt@r/2", "hunt@r?2", "hu@nt@r2"])
def test_a_password_with_an_at_is_asked_to_be_encoded(password: str) -> None:
    """Read as it stands, what follows the @ would be a host, which every message names."""
    with pytest.raises(errors.BadInput, match="%40") as refusal:
        migrations.parse(f"postgresql://refunds:{password}@host/shop")
    assert "hunt" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:1/shop", "postgresql://u@127.0.0.1:1/shop?password=hunter2&a_b=1"]
)
def test_no_message_names_a_password(url: str) -> None:
    """Neither the one before the host nor one among the parameters; an unknown parameter is a setting too."""
    with pytest.raises(errors.Misconfigured) as refusal, migrations.connect(url):
        pass
    assert "hunter2" not in str(refusal.value) and "hunter2" not in migrations.shown(url)
    assert "\n" not in refusal.value.message


def test_a_newer_database_is_refused(url: str) -> None:
    """Neither opening nor upgrading touches a schema from the future."""
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (Store.open, migrations.upgrade, migrations.pending):
        with pytest.raises(errors.SchemaTooNew, match="9999"):
            refuse(url)


def test_a_schema_without_a_mode_is_not_opened(database_url: str) -> None:
    """An upgrade alone does not decide between live and rehearsal."""
    migrations.upgrade(database_url)
    with pytest.raises(errors.NotInitialised, match="refundflow init"):
        Store.open(database_url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transitions SET event = 'x'",
        "DELETE FROM transitions",
        "UPDATE transitions SET event = 'x' WHERE 1 = 0 OR seq = 1",
        "DELETE FROM payouts WHERE number = 'rf1'",
        "UPDATE tiles SET start = 1",
        "DELETE FROM tiles WHERE level = 1",
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
    ],
)
def test_entries_and_payouts_are_append_only(url: str, statement: str) -> None:
    """The database itself refuses to change or delete an entry, or to delete a payout."""
    with migrations.connect(url, write=True) as connection:
        for made in (PAYOUT, TILE, CHECKPOINT):
            connection.execute(text(made))
    with (
        pytest.raises(DBAPIError, match=r"append-only|never deleted"),
        migrations.connect(url, write=True) as connection,
    ):
        connection.execute(text(statement))


PAYOUT = """
    INSERT INTO payouts (order_id, number, subject, payment_no, channel, amount, currency, state, void, asked)
    VALUES ('o1', 'rf1', 'o1-1-1', 'p', 'fake', 1, 'CNY', 'open', false, 0)"""


TILE = "INSERT INTO tiles (level, number, start, hashes) VALUES (1, 0, 0, '')"
CHECKPOINT = "INSERT INTO checkpoints (number, size, root, made_at) VALUES (1, 0, '', '2026-03-02T01:00:00.000000Z')"


@pytest.mark.parametrize("table", ["transitions", "payouts", "tiles", "checkpoints"])
def test_tables_cannot_be_emptied_at_once(postgres_databases: Databases, table: str) -> None:
    """TRUNCATE, which PostgreSQL alone has, is refused too."""
    url = postgres_databases.empty()
    migrations.upgrade(url)
    with pytest.raises(DBAPIError, match="append-only"), migrations.connect(url, write=True) as connection:
        connection.execute(text(f"TRUNCATE {table}"))


@pytest.mark.parametrize("table", ["tiles", "checkpoints"])
def test_what_is_in_the_log_cannot_be_replaced(sqlite_url: str, table: str) -> None:
    """Neither can a piece of a tile or a checkpoint."""
    Store.create(sqlite_url, rehearsal=False).close()
    made = {"tiles": TILE, "checkpoints": CHECKPOINT}[table]
    with migrations.connect(sqlite_url, write=True) as connection:
        connection.execute(text(made))
    with pytest.raises(DBAPIError, match="entry exists"), migrations.connect(sqlite_url, write=True) as connection:
        connection.execute(text(made.replace("INSERT", "INSERT OR REPLACE")))


def test_an_entry_cannot_be_replaced(sqlite_url: str) -> None:
    """INSERT OR REPLACE, which deletes silently on SQLite, is refused too."""
    with Store.create(sqlite_url, rehearsal=False) as store, store.write() as tx:
        register(tx)
    columns = "order_id, subject, seq, kind, event, effective_at, recorded_at, actor_role, actor_name, body, hash"
    with pytest.raises(DBAPIError, match="entry exists"), migrations.connect(sqlite_url, write=True) as connection:
        connection.execute(text(f"INSERT OR REPLACE INTO transitions ({columns}) SELECT {columns} FROM transitions"))


def test_a_role_that_may_change_entries_is_told_apart(postgres_databases: Databases) -> None:
    """The owner may do everything; a role with only what the service needs may do nothing beyond."""
    url = postgres_databases.empty()
    migrations.upgrade(url)
    with migrations.connect(url, write=True) as connection:
        assert migrations.privileges_beyond(connection) == ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
        connection.execute(text("CREATE ROLE clerk"))
        connection.execute(text("GRANT SELECT, INSERT ON transitions TO clerk"))
        connection.execute(text("SET LOCAL ROLE clerk"))
        assert migrations.privileges_beyond(connection) == ()
        connection.rollback()


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("DROP TRIGGER transitions_no_update", "DROP TRIGGER transitions_append_only ON transitions"),
        ("DROP TRIGGER transitions_no_replace", "ALTER TABLE transitions DISABLE TRIGGER transitions_append_only"),
        ("DROP TRIGGER tiles_no_update", "DROP TRIGGER tiles_append_only ON tiles"),
        ("DROP TRIGGER checkpoints_no_delete", "ALTER TABLE checkpoints DISABLE TRIGGER checkpoints_append_only"),
        ("DROP TRIGGER payouts_no_delete", "ALTER TABLE payouts ENABLE REPLICA TRIGGER payouts_no_delete"),
        (
            "DROP TRIGGER transitions_no_delete;; CREATE TRIGGER transitions_no_delete BEFORE DELETE ON transitions "
            "BEGIN SELECT 1; END",
            "CREATE OR REPLACE FUNCTION refundflow_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN NULL; END'",
        ),
    ],
    ids=["dropped", "off", "tiles", "checkpoints", "weakened", "hollow"],
)
def test_a_guard_that_does_not_stand_is_found(url: str, sqlite: str, postgres: str) -> None:
    """A trigger dropped, switched off or made hollow is named, by the check and by the next upgrade."""
    with migrations.connect(url, write=True) as connection:
        migrations.assert_guards(connection)
        statements = (sqlite if connection.dialect.name == "sqlite" else postgres).split(";; ")
        for statement in statements:
            connection.exec_driver_sql(statement)
    with pytest.raises(errors.ProofFailed, match="guard"), migrations.connect(url) as connection:
        migrations.assert_guards(connection)
    with pytest.raises(errors.ProofFailed, match="guard"):
        migrations.upgrade(url)


def test_what_queues_ask_for_is_filled_in_from_documents(live: Market) -> None:
    """A database that was filled before revision 0007 has the same columns after it as one that was filled since."""
    appealed = live.to("rejected.appealable")
    live.act(appealed, "appeal", BUYER, evidence=[a_file("platform_promise")])
    for refund in (appealed, live.to("submitted"), ended := live.to("submitted")):
        live.act(refund, "assign", LI, to="li")
    live.act(ended, "withdraw", BUYER)
    asked = text("SELECT id, clear_due_at, assignee FROM refunds ORDER BY id")

    with migrations.connect(live.url) as connection:
        before = connection.execute(asked).fetchall()
    assert [(row[1] is not None, row[2]) for row in before] == [(True, "li"), (False, "li"), (False, None)]
    with migrations.connect(live.url, write=True) as connection:
        configuration = migrations._configuration()
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0006")
    assert [step.name for step in migrations.upgrade(live.url)] == ["0007"]
    with migrations.connect(live.url) as connection:
        assert connection.execute(asked).fetchall() == before
    live.restart()
    assert next(item.refund.id for item in live.refunds.queue(actor=LI, mine=True)) == appealed
    live.require_sound()
