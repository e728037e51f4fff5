"""Who calls: actors as text, registered persons, and who may see which refund."""

from collections.abc import Sequence

from msgspec import Struct

from refundflow.errors import BadInput, NotFound, RoleNotAllowed
from refundflow.service.door import check_reference
from refundflow.store import Tx
from refundflow.vault import BuyerRow, Vault
from states import codes
from states.case import Actor, Blocker, Line

INNER_ROLES = ("channel", "system")


class Caller(Struct, frozen=True):
    """An actor as named by a caller; `buyer` is whom a service names as the one it acts for."""

    role: str
    name: str
    buyer: str | None = None

    @property
    def reads_as_buyer(self) -> bool:
        """Tell that the caller sees what a buyer sees."""
        return self.role == "buyer"

    @property
    def buyer_seen(self) -> str | None:
        """Return the only buyer whose refunds the caller sees: himself, or the one he acts for; None: anybody's."""
        return self.name if self.reads_as_buyer else self.buyer


SYSTEM = Caller(role="system", name="system")


def parse_caller(actor: str, buyer: str | None = None) -> Caller:
    """Read ``role:name``.

    Raises:
        BadInput: not of that form, or an unknown role.
        RoleNotAllowed: `channel` and `system` are never taken from a caller.
    """
    check_reference("actor", actor)
    if buyer is not None:
        check_reference("buyer", buyer)
    role, _, name = (actor or "").partition(":")
    name = name.strip()
    if not name or role not in codes.ROLES:
        allowed = ", ".join(f"{item}:NAME" for item in codes.CALLER_ROLES)
        raise BadInput(f"{actor!r} names no actor: write one of {allowed}", field="actor")
    if role in INNER_ROLES:
        params = {"role": role, "roles": list(codes.CALLER_ROLES)}
        raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
    return Caller(role, name, buyer)


def require_registered(tx: Tx, caller: Caller) -> None:
    """Check that a member of staff is registered in that role, and active.

    Raises:
        RoleNotAllowed: with the blocker NOT_REGISTERED.
    """
    if caller.role in codes.STAFF_ROLES:
        row = tx.staff(caller.name)
        require_known(caller, row.roles if row is not None and row.active else ())


def require_known(caller: Caller, roles: Sequence[str]) -> None:
    """Check the roles that a member of staff is registered in, as `require_registered` does; others need none."""
    if caller.role in codes.STAFF_ROLES and caller.role not in roles:
        params = {"name": caller.name, "role": caller.role, "registered": list(roles)}
        raise RoleNotAllowed((Blocker(code="NOT_REGISTERED", params=params),))


def actor_on(line: Line, owner: BuyerRow | None, caller: Caller, vault: Vault, what: str) -> Actor:
    """Return the caller as the rules know him on this line.

    Raises:
        NotFound: it is not the caller's to see; the same answer as for what does not exist.
    """
    if caller.role == "buyer":
        if owner is None or vault.buyer_lookup(caller.name) != owner.lookup:
            raise NotFound(what)
        return Actor("buyer", line["buyer"], True)
    if caller.buyer is not None and (owner is None or vault.buyer_lookup(caller.buyer) != owner.lookup):
        raise NotFound(what)
    return Actor(caller.role, caller.name, owner is not None and vault.colleague_lookup(caller.name) == owner.lookup)
