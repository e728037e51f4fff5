"""What belongs to no order: settings of the database, staff, policies, calendars."""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from refundflow.store.documents import canonical_text, read_document
from refundflow.store.rows import StaffRow
from refundflow.store.sessions import Session
from refundflow.store.statements import insert_or, select_where
from refundflow.store.values import moment, written
from refundflow.tables import CalendarText, Meta, PolicyText, Staff, table_of
from states import times

_META = table_of(Meta)
_STAFF = table_of(Staff)
_CALENDAR = table_of(CalendarText)
_POLICY = table_of(PolicyText)

READ_META = select_where(Meta, "key")
ADD_META = insert_or(Meta)
READ_STAFF = select_where(Staff, "name")
LIST_STAFF = select(_STAFF).order_by(_STAFF.c.name)
KEEP_STAFF = insert_or(Staff, update=("roles", "active", "document"))
READ_POLICY = select_where(PolicyText, "version")
LIST_POLICIES = select(_POLICY).order_by(_POLICY.c.version)
ADD_POLICY = insert_or(PolicyText)
LIST_CALENDARS = select(_CALENDAR).order_by(_CALENDAR.c.ordinal)
ADD_CALENDAR = insert_or(CalendarText)
REHEARSAL_TIME = "rehearsal_time"
_reached = upsert(_META).values(key=bindparam("key"), value=bindparam("value"))
REACH_TIME = _reached.on_conflict_do_update(  # the text of a moment is as long as any other
    index_elements=list(_META.primary_key),
    set_={"value": _reached.excluded.value},
    where=_META.c.value <= _reached.excluded.value,
)


class Registers:
    """Settings, people and rules."""

    session: Session

    def meta(self, key: str) -> str | None:
        """Return one setting of the database."""
        row = self.session.one(READ_META, key=key)
        return row[1] if row else None

    def add_meta(self, key: str, value: str) -> None:
        """Keep a setting of the database, unless it has one already."""
        self.session.run(ADD_META, key=key, value=value)

    def rehearsal_time(self) -> datetime | None:
        """Return the time that a rehearsal has reached."""
        value = self.meta(REHEARSAL_TIME)
        return times.moment(value) if value else None

    def set_rehearsal_time(self, at: datetime) -> None:
        """Move the time of a rehearsal.

        Raises:
            Conflict: it has gone further meanwhile.
        """
        self.session.write({REACH_TIME: [{"key": REHEARSAL_TIME, "value": times.text(at)}]})

    def staff(self, name: str) -> StaffRow | None:
        """Return a registered person, active or not."""
        row = self.session.one(READ_STAFF, name=name)
        return staff_of(*row) if row else None

    def staff_list(self) -> list[StaffRow]:
        """Return all registered persons by name."""
        return [staff_of(*row) for row in self.session.rows(LIST_STAFF)]

    def put_staff(self, row: StaffRow) -> None:
        """Write a person as the newest entry of the chain "staff" says."""
        self.session.run(
            KEEP_STAFF,
            name=row.name, roles=canonical_text(list(row.roles)), active=row.active,
            document=canonical_text(dict(row.document)),
        )  # fmt: skip

    def policy(self, version: str) -> str | None:
        """Return the text of a policy."""
        row = self.session.one(READ_POLICY, version=version)
        return row[1] if row else None

    def policies(self) -> dict[str, str]:
        """Return the texts of all policies by version."""
        return {row[0]: row[1] for row in self.session.rows(LIST_POLICIES)}

    def put_policy(self, version: str, content: str) -> None:
        """Keep a policy; the same version again changes nothing."""
        self.session.run(ADD_POLICY, version=version, content=content)

    def calendars(self) -> list[tuple[datetime | None, str]]:
        """Return (moment of import, content) of all calendars in order of import; None: shipped."""
        return [(moment(row[2]), row[3]) for row in self.session.rows(LIST_CALENDARS)]

    def calendar_rows(self) -> list[tuple[str, datetime | None, str]]:
        """Return (version, moment of import, content) of all calendars in order of import; None: shipped."""
        return [(row[1], moment(row[2]), row[3]) for row in self.session.rows(LIST_CALENDARS)]

    def put_calendar(self, version: str, imported_at: datetime | None, content: str) -> None:
        """Keep a calendar; the shipped one (None) again, in the same version, changes nothing."""
        rows = self.session.rows(LIST_CALENDARS)
        at = times.text(imported_at) if imported_at else None
        if any(row[1] == version and written(row[2]) == at for row in rows):
            return
        ordinal = rows[-1][0] + 1 if rows else 1
        self.session.run(ADD_CALENDAR, ordinal=ordinal, version=version, imported_at=at, content=content)


def staff_of(name: str, roles: str, active: bool, document: str) -> StaffRow:
    """Read a row of a person."""
    return StaffRow(name=name, roles=roles_of(roles), active=bool(active), document=read_document(document))


@lru_cache
def roles_of(roles: str) -> tuple[str, ...]:
    """Read the roles of a person; few texts name the roles of all."""
    return tuple(read_document(roles))
