"""Calendars: what is in force, how far it reaches, and importing the days of later years."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from refundflow import audit, calendars, values
from refundflow.errors import RoleNotAllowed
from refundflow.service.base import Facade
from refundflow.service.callers import Caller, parse_caller, require_registered
from refundflow.store import REGISTER_ORDER, Tx
from states import times
from states.calendar import Calendar, day_of
from states.case import Actor, Blocker, Entry
from states.decide import due

SUBJECT: Literal["calendar"] = "calendar"
BATCH = 100
WARN_DAYS = 60  # before the coverage ends


class CalendarWork(Facade):
    """The working-day calendar of a database; every import is an entry of its chain."""

    def calendar_status(self, *, at: datetime | None = None) -> values.CalendarStatus:
        """Return the calendar in force, how far it reaches, and how many deadlines are provisional."""

        def read(tx: Tx) -> values.CalendarStatus:
            now = self.engine.time_to_read(tx, at)
            self.engine.refresh(tx)
            calendar = self.engine.calendars.at(now + timedelta(microseconds=1))
            left = (calendar.last - day_of(now, self.engine.policy.zone)).days
            provisional = sum(
                any(item.get("provisional") for item in case["deadlines"].values()) for case in self.open_cases(tx)
            )
            return values.CalendarStatus(
                version=calendar.version,
                first=calendar.first,
                last=calendar.last,
                days_left=left,
                ends_soon=left < WARN_DAYS,
                imports=len(self.engine.calendars.imports),
                provisional=provisional,
            )

        return self.engine.read(read)

    def calendar_import(
        self,
        text: str,
        *,
        source: str,
        actor: str,
        at: datetime | None = None,
        progress: Callable[[int], None] | None = None,
        batch: int = BATCH,
    ) -> values.CalendarImport:
        """Lay a calendar (JSON) over the one in force, and count provisional deadlines again.

        That goes in one transaction per `batch` of order lines, told to `progress`. The same file again
        only goes on where an import was interrupted.

        Raises:
            BadInput: no calendar, or days between the two that neither covers.
            RoleNotAllowed: the actor is no supervisor.
        """
        caller = parse_caller(actor)
        told = calendars.parse(text, source)
        imported = self.engine.write(lambda tx: self._import(tx, told, caller, at))
        places = self.engine.read(lambda tx: self._provisional(tx))
        recomputed = 0
        for start in range(0, len(places), batch):
            some = places[start : start + batch]
            recomputed += self.engine.write(lambda tx, b=some: self._recompute(tx, b, at))  # type: ignore[misc]
            if progress:
                progress(len(some))
        return values.CalendarImport(version=imported.version, last=imported.last, recomputed=recomputed)

    def _import(self, tx: Tx, told: Calendar, caller: Caller, at: datetime | None) -> Calendar:
        if caller.role != "supervisor":
            params = {"role": caller.role, "roles": ["supervisor"]}
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)
        head = tx.head(REGISTER_ORDER, SUBJECT)  # first: what is looked at below is what the next entry stands on
        self.engine.refresh(tx)
        now = self.engine.time(tx, at)
        effective_at = tx.not_before(SUBJECT, now)
        before = self.engine.calendars.at(effective_at + timedelta(microseconds=1))
        joined = calendars.laid_over(before, told)
        if joined.version == before.version:
            return before
        entry = Entry(
            subject=SUBJECT,
            seq=head.seq + 1,
            kind="fact",
            event="calendar_imported",
            before=None,
            after=None,
            effective_at=times.text(effective_at),
            actor=Actor(role=caller.role, name=caller.name),
            params={"version": joined.version, "last": joined.last.isoformat(), "over": before.version},
            texts=(),
            patch={"version": joined.version},
            ledger={},
            policy=self.engine.policy.version,
            calendar=before.version,
        )
        sealed = audit.seal([entry], heads={SUBJECT: head.hash}, recorded_at=now)
        tx.append_register_entry(SUBJECT, sealed[0])
        tx.put_calendar(joined.version, effective_at, calendars.dump(joined))
        self.engine.reached(tx, now)
        return joined

    def _provisional(self, tx: Tx) -> list[tuple[str, str]]:
        waiting = (
            (case["order_id"], case["line"])
            for case in self.open_cases(tx)
            if any(item.get("provisional") for item in case["deadlines"].values())
        )
        return list(dict.fromkeys(waiting))

    def _recompute(self, tx: Tx, places: list[tuple[str, str]], at: datetime | None) -> int:
        counted = 0
        self.engine.refresh(tx)
        for order_id, line in sorted(places):
            stored = tx.aggregate(order_id, line, lock=True)
            if stored is None:
                continue
            now = self.engine.time(tx, at)
            decision = due(stored.aggregate, rules=self.engine.rules(tx, stored.aggregate), now=now)
            self.engine.commit(tx, stored, decision, now, None)
            counted += sum(entry.event == "deadline_recomputed" for entry in decision.entries)
        return counted
