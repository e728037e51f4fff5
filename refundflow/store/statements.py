"""Statements built from the tables and compiled to text once; the drivers run the text."""

from collections.abc import Mapping
from functools import cache
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import BindParameter, Dialect, Select, Update, bindparam, insert, literal_column, select, update
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
    "postgresql": psycopg.dialect(),  # type: ignore[no-untyped-call]
}


class Compiled:
    """A statement as the driver runs it: its text, and how values by name are handed over."""

    def __init__(self, statement: Executable, dialect: DialectName) -> None:
        made = statement.compile(  # type: ignore[attr-defined]
            dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True}
        )
        required = {name for name, bind in made.binds.items() if bind.required}
        self.text = str(made)
        values = made.construct_params(_check=False)
        self._own = {name: value for name, value in values.items() if name not in required}
        # by place: SQLite binds a name three times slower than a place
        self._names: tuple[str, ...] | None = tuple(made.positiontup) if made.positional else None
        self._pick = itemgetter(*self._names) if self._names and len(self._names) > 1 else None

    def bound(self, values: Mapping[str, Any]) -> Any:
        """Return what the driver is given: the values that the statement brings itself, and these."""
        given = {**self._own, **values} if self._own else values
        if self._pick is not None:
            return self._pick(given)
        return given if self._names is None else [given[name] for name in self._names]


@cache
def compiled_once(statement: Executable, dialect: DialectName) -> Compiled:
    """Compile a statement that lives as long as the process."""
    return Compiled(statement, dialect)


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


def insert_or(model: type[SQLModel], *, update: tuple[str, ...] = ()) -> Executable:
    """Insert one row; where its key is there already, change the columns `update`, or nothing."""
    table = table_of(model)
    # both dialects understand it: SQLite took ON CONFLICT over from PostgreSQL
    statement = upsert(table).values({column.name: bindparam(column.name) for column in table.c})
    if not update:
        return statement.on_conflict_do_nothing(index_elements=list(table.primary_key))
    changed = {name: statement.excluded[name] for name in update}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


def update_where(model: type[SQLModel], by: Mapping[str, str], changes: tuple[str, ...]) -> Executable:
    """Change columns to the parameters of their names where each column of `by` equals its parameter."""
    return _update(model, by).values({name: bindparam(name) for name in changes})


def update_version(model: type[SQLModel], place: tuple[str, ...], changes: tuple[str, ...]) -> Executable:
    """Change columns of the row at a place where its version is still the parameter `was`; the version counts on."""
    by = {**{name: name for name in place}, "version": "was"}
    counted: dict[str, Any] = {"version": literal_column(f"{table_of(model).name}.version + 1")}
    return _update(model, by).values({name: bindparam(name) for name in changes} | counted)


def _update(model: type[SQLModel], by: Mapping[str, str]) -> Update:
    table = table_of(model)
    return update(table).where(*(table.c[name] == bindparam(at, type_=table.c[name].type) for name, at in by.items()))
