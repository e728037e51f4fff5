"""The register of staff: persons, their roles, active or not; every change is an entry of its chain."""

from datetime import datetime
from typing import Literal

from refundflow import audit, values
from refundflow.errors import BadInput, NotFound, Refused, RoleNotAllowed
from refundflow.service.base import Facade
from refundflow.service.callers import Caller, parse_caller, require_registered
from refundflow.service.door import check_reference, one_line
from refundflow.store import REGISTER_ORDER, Head, StaffRow, Tx
from refundflow.store.documents import canonical
from states import codes, times
from states.case import Actor, Blocker, Entry, Json

_RESERVED = ("seq", "effective_at", "system", "staff", "erased")  # words of the documents and of what a buyer is shown
SUBJECT: Literal["staff"] = "staff"


class Staff(Facade):
    """Who may act: persons are compared by name, whatever the role."""

    def staff_add(
        self,
        name: str,
        *,
        roles: tuple[str, ...] | list[str],
        actor: str,
        key: str | None = None,
        at: datetime | None = None,
    ) -> values.StaffMember:
        """Register a person, or change his roles; the first person of a database registers himself.

        Raises:
            BadInput: no roles, an unknown role, or no usable name.
            RoleNotAllowed: the actor is no supervisor.
            Refused: the key was used for another change.
        """
        unknown = [role for role in roles if role not in codes.STAFF_ROLES]
        if unknown or not roles:
            allowed = ", ".join(codes.STAFF_ROLES)
            raise BadInput(f"roles {', '.join(unknown) or '(none)'}: one or more of {allowed}", field="roles")
        if (
            not name.strip()
            or ":" in name
            or name.strip() in _RESERVED
            or any(not character.isprintable() for character in name)
        ):
            raise BadInput(f"{name!r} is no name: printable characters without a colon", field="name")
        row = StaffRow(name=name.strip(), roles=tuple(sorted(set(roles))), active=True)
        return self._change(row, "staff_added", parse_caller(actor), key, at)

    def staff_disable(
        self, name: str, *, actor: str, key: str | None = None, at: datetime | None = None
    ) -> values.StaffMember:
        """Let a person act no more; his past stays.

        Raises:
            NotFound: nobody of that name is registered.
            RoleNotAllowed: the actor is no supervisor.
            Refused: the key was used for another change.
        """
        found = self.engine.read(lambda tx: tx.staff(name)) if one_line(name) else None
        if found is None:
            raise NotFound(name)
        row = StaffRow(name=found.name, roles=found.roles, active=False)
        return self._change(row, "staff_disabled", parse_caller(actor), key, at)

    def staff_list(self) -> tuple[values.StaffMember, ...]:
        """Return everybody who is or was registered, by name."""
        return tuple(_member(row) for row in self.engine.read(lambda tx: tx.staff_list()))

    def _change(
        self, row: StaffRow, event: str, caller: Caller, key: str | None, at: datetime | None
    ) -> values.StaffMember:
        check_reference("key", key)
        roles = list(row.roles) if row.active else None  # whoever is disabled keeps the roles that he has by then
        asked = {"event": event, "actor": [caller.role, caller.name], "name": row.name, "roles": roles}
        request = self.engine.vault.request_hash(self.engine.vault.secret, canonical(asked))

        def work(tx: Tx) -> values.StaffMember:
            head = tx.head(REGISTER_ORDER, SUBJECT)  # first: what is looked at below is what the next entry stands on
            used = tx.entry_by_key(REGISTER_ORDER, SUBJECT, key) if key else None
            if used is not None and used.request_hash == request:
                return _member(row)
            self._may_change(tx, row, caller)
            if used is not None:
                raise Refused((Blocker(code="KEY_REUSED", params={"event": used.event}),))
            before = tx.staff(row.name)
            if before is not None and (before.roles, before.active) == (row.roles, row.active):
                return _member(before)
            now = self.engine.time_to_read(tx, at)
            self._write(tx, head, row, event, caller, now, key, request)
            if at is not None:
                self.engine.reached(tx, now)
            return _member(row)

        return self.engine.write(work)

    def _may_change(self, tx: Tx, row: StaffRow, caller: Caller) -> None:
        """Let supervisors change the register; where there is none yet, the first registers himself and nobody else."""
        if caller.role != "supervisor":
            params = {"role": caller.role, "roles": ["supervisor"]}
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
        if self.engine.store.rehearsal:
            return
        others = [item for item in tx.staff_list() if "supervisor" in item.roles and item.active]
        is_supervisor = row.active and "supervisor" in row.roles
        if others or not is_supervisor or row.name != caller.name:
            require_registered(tx, caller)
        if not is_supervisor and all(item.name == row.name for item in others):
            raise BadInput(f"{row.name} is the only supervisor: register another one first", field="name")

    def _write(
        self,
        tx: Tx,
        head: Head,
        row: StaffRow,
        event: str,
        caller: Caller,
        now: datetime,
        key: str | None,
        request: str,
    ) -> None:
        document: dict[str, Json] = {row.name: {"roles": list(row.roles), "active": row.active}}
        entry = Entry(
            subject=SUBJECT,
            seq=head.seq + 1,
            kind="fact",
            event=event,
            before=None,
            after=None,
            effective_at=times.text(tx.not_before(SUBJECT, now)),
            actor=Actor(role=caller.role, name=caller.name),
            params={"name": row.name, "roles": list(row.roles), "active": row.active},
            texts=(),
            patch=document,
            ledger={},
            policy=self.engine.policy.version,
            calendar=self.engine.calendars.at(now).version,
        )
        sealed = audit.seal(
            [entry],
            heads={SUBJECT: head.hash},
            recorded_at=now,
            key=key,
            key_scope=SUBJECT,
            request_hash=request,
            key_entry=0,
        )
        tx.append_register_entry(SUBJECT, sealed[0])
        tx.put_staff(StaffRow(name=row.name, roles=row.roles, active=row.active, document=document[row.name]))


def _member(row: StaffRow) -> values.StaffMember:
    return values.StaffMember(name=row.name, roles=row.roles, active=row.active)
