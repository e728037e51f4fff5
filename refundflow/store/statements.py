"""Statements built from the tables and compiled to text once; the drivers run the text."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    BindParameter,
    DateTime,
    Dialect,
    Select,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.base import Executable
from sqlmodel import SQLModel

from refundflow.tables import table_of

DialectName = Literal["sqlite", "postgresql"]
Bound = dict[str, BindParameter[Any]]

_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
CHECK_TIME: Executable = select(literal_column("1").label("in_time")).where(
    func.clock_timestamp() < bindparam("until", type_=DateTime(timezone=True))
)
_SHAPES = 256  # of commits: which rows they write, and how many of each
_MAY_EXIST, _IN_SETS = "may_exist", "in_sets"
Writing = TypeVar("Writing", bound=Executable)


class Compiled:
    """A statement as the driver runs it: its text, and how values by name are handed over by place.

    SQLite binds a name three times slower than a place. `may_exist` tells that a row may be there already.
    """

    bound: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """Return what the driver is given: the values that the statement brings itself, and these."""

    def __init__(self, statement: Executable, dialect: DialectName) -> None:
        made = statement.compile(  # type: ignore[attr-defined]
            dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True}
        )
        required = {name for name, bind in made.binds.items() if bind.required}
        self.text = str(made)
        self.reads = isinstance(statement, Select)
        self.may_exist = bool(statement.get_execution_options().get(_MAY_EXIST))
        values = made.construct_params(_check=False)
        self._own = {name: value for name, value in values.items() if name not in required}
        self._names = tuple(made.positiontup or ())
        # most bring none themselves: then it is a call into C
        self.bound = self._bound if self._own or len(self._names) < 2 else itemgetter(*self._names)

    def _bound(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**self._own, **values}
        return tuple(given[name] for name in self._names)


@cache
def compiled_once(statement: Executable, dialect: DialectName) -> Compiled:
    """Compile a statement that lives as long as the process."""
    return Compiled(statement, dialect)


@cache
def as_set(statement: Executable) -> str | None:
    """Compose a write that may go `in_sets` as one of PostgreSQL for any number of rows, given as one JSON.

    The rows are written in their order; None where each row needs a statement of its own.
    """
    if not statement.get_execution_options().get(_IN_SETS):
        return None
    dialect = _DIALECTS["postgresql"]
    made = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    types = {name: bind.type.compile(dialect=dialect) for name, bind in made.binds.items()}
    names = iter(made.positiontup)
    text = re.sub("%s", lambda _: f"given.{next(names)}", str(made))
    given = f"json_to_recordset(%s::json) AS given({', '.join(f'{name} {kind}' for name, kind in types.items())})"
    if isinstance(statement, Update):
        changes, _, places = text.partition(" WHERE ")
        return f"{changes} FROM {given} WHERE {places}"
    into, _, rest = text.partition(" VALUES (")
    values, _, conflict = rest.partition(")")
    return f"{into} SELECT {values} FROM {given}{conflict}"


@lru_cache(_SHAPES)
def sets_together(writes: Sequence[Executable]) -> str:
    """Compose writes that may go `in_sets` as one statement: its values are the rows of each, and then their numbers.

    Where another number of rows was touched it fails as `together` does. No two of them may write the same row.
    """
    steps = [f"w{number} AS ({as_set(statement)} RETURNING 1)" for number, statement in enumerate(writes)]
    touched = [f"(SELECT count(*) FROM w{number}) = %s" for number in range(len(writes))]
    return f"WITH {', '.join(steps)} SELECT 1 / ({' AND '.join(touched)})::int"


@lru_cache(_SHAPES)
def together(shape: tuple[tuple[Executable, int], ...]) -> str:
    """Compose writes, each for so many rows, as one statement of PostgreSQL that does all of them or fails.

    Where one of them touches no row the division by zero fails, and with it everything; rows that may be there are
    not asked for. They are asked from left to right, so that rows are locked in the order of the writes.
    """
    steps: list[str] = []
    touched: list[str] = []
    for statement, count in shape:
        made = compiled_once(statement, "postgresql")
        text = made.text if made.reads else f"{made.text} RETURNING 1"
        for _ in range(count):
            name = f"w{len(steps)}"
            if not made.may_exist:
                touched.append(f"EXISTS (SELECT FROM {name})")
            steps.append(f"{name} AS ({text})")
    return f"WITH {', '.join(steps)} SELECT 1 / ({' AND '.join(touched)})::int"


def select_where(model: type[SQLModel], *by: str, columns: tuple[str, ...] = ()) -> Select[Any]:
    """Select columns (none named: all) of the rows whose columns `by` equal the parameters of the same names."""
    table = table_of(model)
    chosen = select(*(table.c[name] for name in columns)) if columns else select(table)
    return chosen.where(*(table.c[name] == bindparam(name) for name in by))


def insert_row(model: type[SQLModel], *, without: tuple[str, ...] = ()) -> Executable:
    """Insert one row; the database numbers the columns `without`."""
    table = table_of(model)
    values: Bound = {column.name: bindparam(column.name) for column in table.c if column.name not in without}
    return insert(table).values(values).inline()


def in_sets(statement: Writing) -> Writing:
    """Let many rows be written by one statement: an insert, or a change of rows that no other writer can lock now.

    For such a statement chooses the order of its locks.
    """
    return statement.execution_options(**{_IN_SETS: True})


def insert_or(model: type[SQLModel], *, update: tuple[str, ...] = ()) -> Executable:
    """Insert one row; where its key is there already, change the columns `update`, or nothing."""
    table = table_of(model)
    # both dialects understand it: SQLite took ON CONFLICT over from PostgreSQL
    statement = upsert(table).values({column.name: bindparam(column.name) for column in table.c})
    if not update:
        nothing = statement.on_conflict_do_nothing(index_elements=list(table.primary_key))
        return nothing.execution_options(**{_MAY_EXIST: True})
    changed = {name: statement.excluded[name] for name in update}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


def update_where(model: type[SQLModel], by: Mapping[str, str], changes: tuple[str, ...]) -> Update:
    """Change columns to the parameters of their names where each column of `by` equals its parameter."""
    return _update(model, by).values({name: bindparam(name) for name in changes})


def update_version(model: type[SQLModel], place: tuple[str, ...], changes: tuple[str, ...]) -> Executable:
    """Change columns of the row at a place where its version is still the parameter `was`; the version counts on."""
    by = {**{name: name for name in place}, "version": "was"}
    return _update(model, by).values({name: bindparam(name) for name in changes} | next_version(model))


def next_version(model: type[SQLModel]) -> dict[str, Any]:
    """Return the change by which whoever has read the row finds out that it is another now."""
    return {"version": literal_column(f"{table_of(model).name}.version + 1")}


def _update(model: type[SQLModel], by: Mapping[str, str]) -> Update:
    table = table_of(model)
    return update(table).where(*(table.c[name] == bindparam(at, type_=table.c[name].type) for name, at in by.items()))
