"""The guards that make chains append-only inside the database itself, and the check that they stand."""

from sqlalchemy import Connection, inspect, text

from refundflow.errors import ProofFailed
from refundflow.migrations.partitions import members


def _append_only(table: str, *key: str) -> dict[str, str]:
    """Write the triggers by which SQLite refuses to change, to delete or to replace a row of a table."""
    same = " AND ".join(f"{name} = NEW.{name}" for name in key)
    return {
        f"{table}_no_update": f"""
        CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
        f"{table}_no_delete": f"""
        CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
        f"{table}_no_replace": f"""
        CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
        BEGIN SELECT RAISE(ABORT, 'entry exists'); END""",
    }


# By table; their text is compared with what the database holds, to the letter.
_SQLITE: dict[str, dict[str, str]] = {
    "transitions": {
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
    },
    "payouts": {
        "payouts_no_delete": """
        CREATE TRIGGER payouts_no_delete BEFORE DELETE ON payouts
        BEGIN SELECT RAISE(ABORT, 'payouts are never deleted'); END""",
    },
    "tiles": _append_only("tiles", "level", "number", "start"),
    "checkpoints": _append_only("checkpoints", "number"),
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
    ("tiles_append_only", "tiles", "UPDATE OR DELETE OR TRUNCATE", 2 + 8 + 16 + 32),
    ("checkpoints_append_only", "checkpoints", "UPDATE OR DELETE OR TRUNCATE", 2 + 8 + 16 + 32),
)
FIRST = ("transitions", "payouts")
# What a service changes and removes, besides reading and adding to every table.
_CHANGED = {
    "UPDATE": ("order_lines", "refunds", "effects", "payouts", "meta", "staff", "buyers", "totals"),
    "DELETE": ("effects", "personal", "evidence_content"),
}


def install_guards(connection: Connection, *tables: str) -> None:
    """Create the triggers of tables (by default of those that were first); migrations call it when they make them."""
    tables = tables or FIRST
    if connection.dialect.name == "sqlite":
        for statement in (statement for table in tables for statement in _SQLITE[table].values()):
            connection.exec_driver_sql(statement.strip())
        return
    if tables == FIRST:
        connection.exec_driver_sql(
            f"CREATE FUNCTION refundflow_append_only() RETURNS trigger LANGUAGE plpgsql AS $${_FUNCTION}$$"
        )
    for name, table, what, _ in _POSTGRES:
        # the trigger of a table does not fire for a statement that names one of its partitions
        for member in members(connection, table) if table in tables else ():
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} BEFORE {what} ON {member}"
                " FOR EACH STATEMENT EXECUTE FUNCTION refundflow_append_only()"
            )
            connection.exec_driver_sql(f"ALTER TABLE {member} ENABLE ALWAYS TRIGGER {name}")


def assert_guards(connection: Connection) -> None:
    """Check that every guard of the tables that there are stands as it was made and is switched on.

    Raises:
        ProofFailed: naming each one that is missing, changed or switched off.
    """
    sqlite = connection.dialect.name == "sqlite"
    made = set(inspect(connection).get_table_names())
    broken = _broken_sqlite(connection, made) if sqlite else _broken_postgres(connection, made)
    if broken:
        raise ProofFailed([f"guard {name}: missing, changed or switched off" for name in broken])


def privileges_beyond(connection: Connection) -> tuple[str, ...]:
    """Name what the present role of PostgreSQL may do to entries and the log beyond reading and adding to them.

    Whoever owns the table may do all; a service should run as another role. SQLite knows no roles: nothing is named.
    """
    if connection.dialect.name == "sqlite":
        return ()
    query = text(
        "SELECT bool_or(has_table_privilege(current_user, name, :privilege))"
        " FROM unnest(CAST(:tables AS text[])) AS name"
    )
    tables = [member for table in ("transitions", "tiles", "checkpoints") for member in members(connection, table)]
    beyond = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
    given = {"tables": tables}
    return tuple(name for name in beyond if connection.execute(query, given | {"privilege": name}).scalar())


def privileges_lacking(connection: Connection) -> tuple[str, ...]:
    """Name what the present role of PostgreSQL needs to serve and lacks, as in "UPDATE on refunds, staff"."""
    if connection.dialect.name == "sqlite":
        return ()
    from refundflow.tables import Base

    all_tables = sorted(Base.metadata.tables)
    asked = {"SELECT": ["alembic_version", *all_tables], "INSERT": all_tables, **_CHANGED}
    query = text(
        "SELECT name FROM unnest(CAST(:tables AS text[])) AS name"
        " WHERE NOT has_table_privilege(current_user, CAST(to_regclass(name) AS oid), :privilege) ORDER BY name"
    )
    lacking = {
        privilege: connection.execute(query, {"tables": [*tables], "privilege": privilege}).scalars().all()
        for privilege, tables in asked.items()
    }
    return tuple(f"{privilege} on {', '.join(tables)}" for privilege, tables in lacking.items() if tables)


def _broken_sqlite(connection: Connection, made: set[str]) -> list[str]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    found = {row.name: row.sql for row in connection.execute(text(query))}
    expected = {name: statement for table in made & set(_SQLITE) for name, statement in _SQLITE[table].items()}
    return [name for name, statement in expected.items() if found.get(name) != statement.strip()]


def _broken_postgres(connection: Connection, made: set[str]) -> list[str]:
    query = """
        SELECT CAST(t.tgrelid AS regclass)::text, t.tgname, t.tgenabled = 'A' AND p.prosrc = :body, t.tgtype
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name))"""
    expected = [
        (member, name, bits)
        for name, table, _, bits in _POSTGRES
        if table in made
        for member in members(connection, table)
    ]
    given = {"body": _FUNCTION, "tables": [member for member, _, _ in expected]}
    found = {(member, name): (sound, bits) for member, name, sound, bits in connection.execute(text(query), given)}
    return [f"{name} of {member}" for member, name, bits in expected if found.get((member, name)) != (True, bits)]
