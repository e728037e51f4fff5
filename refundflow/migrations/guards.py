"""The guards that make chains append-only inside the database itself, and the check that they stand."""

from sqlalchemy import Connection, text

from refundflow.errors import ProofFailed

_SQLITE = {
    "transitions_no_update": """
        CREATE TRIGGER transitions_no_update BEFORE UPDATE ON transitions
        BEGIN SELECT RAISE(ABORT, 'transitions is append-only'); END""",
    "transitions_no_delete": """
        CREATE TRIGGER transitions_no_delete BEFORE DELETE ON transitions
        BEGIN SELECT RAISE(ABORT, 'transitions is append-only'); END""",
    # INSERT OR REPLACE deletes the old row without firing the trigger above
    "transitions_no_replace": """
        CREATE TRIGGER transitions_no_replace BEFORE INSERT ON transitions
        WHEN EXISTS (SELECT 1 FROM transitions WHERE gid = NEW.gid)
          OR EXISTS (SELECT 1 FROM transitions
                     WHERE order_id = NEW.order_id AND subject = NEW.subject AND seq = NEW.seq)
          OR EXISTS (SELECT 1 FROM transitions
                     WHERE order_id = NEW.order_id AND key_scope = NEW.key_scope AND key = NEW.key)
        BEGIN SELECT RAISE(ABORT, 'entry exists'); END""",
    "payouts_no_delete": """
        CREATE TRIGGER payouts_no_delete BEFORE DELETE ON payouts
        BEGIN SELECT RAISE(ABORT, 'payouts are never deleted'); END""",
}
_FUNCTION = """
    BEGIN
        RAISE EXCEPTION USING
            MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
    END"""
# Name, table, what it refuses, and the bits of pg_trigger.tgtype that say so: BEFORE 2, DELETE 8, UPDATE 16,
# TRUNCATE 32, and no 1: for each statement, since distributed tables take no triggers on rows.
_POSTGRES = (
    ("transitions_append_only", "transitions", "UPDATE OR DELETE OR TRUNCATE", 2 + 8 + 16 + 32),
    ("payouts_no_delete", "payouts", "DELETE OR TRUNCATE", 2 + 8 + 32),
)


def install_guards(connection: Connection) -> None:
    """Create the triggers; migrations call it when they make or rebuild the tables."""
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE.values():
            connection.exec_driver_sql(statement.strip())
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION refundflow_append_only() RETURNS trigger LANGUAGE plpgsql AS $${_FUNCTION}$$"
    )
    for name, table, what, _ in _POSTGRES:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} BEFORE {what} ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refundflow_append_only()"
        )
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def assert_guards(connection: Connection) -> None:
    """Check that every guard stands as it was made and is switched on.

    Raises:
        ProofFailed: naming each one that is missing, changed or switched off.
    """
    sqlite = connection.dialect.name == "sqlite"
    broken = _broken_sqlite(connection) if sqlite else _broken_postgres(connection)
    if broken:
        raise ProofFailed([f"guard {name}: missing, changed or switched off" for name in broken])


def privileges_beyond(connection: Connection) -> tuple[str, ...]:
    """Name what the present role of PostgreSQL may do to entries beyond reading and adding them.

    Whoever owns the table may do all; a service should run as another role. SQLite knows no roles: nothing is named.
    """
    if connection.dialect.name == "sqlite":
        return ()
    query = text("SELECT has_table_privilege(current_user, 'transitions', :privilege)")
    beyond = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
    return tuple(name for name in beyond if connection.execute(query, {"privilege": name}).scalar())


def _broken_sqlite(connection: Connection) -> list[str]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    found = {row.name: row.sql for row in connection.execute(text(query))}
    return [name for name, statement in _SQLITE.items() if found.get(name) != statement.strip()]


def _broken_postgres(connection: Connection) -> list[str]:
    query = """
        SELECT t.tgname, t.tgenabled = 'A' AND p.prosrc = :body, t.tgtype
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid IN (to_regclass('transitions'), to_regclass('payouts'))"""
    rows = connection.execute(text(query), {"body": _FUNCTION})
    found = {name: (sound, bits) for name, sound, bits in rows}
    return [name for name, _, _, bits in _POSTGRES if found.get(name) != (True, bits)]
