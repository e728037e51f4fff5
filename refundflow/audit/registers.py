"""The proof of what belongs to no order: staff, policies, calendars and buyers are what their names and entries say."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256

from refundflow import calendars
from refundflow.audit.replay import Finding, Replayed
from refundflow.errors import BadInput
from refundflow.store import REGISTER_ORDER, StaffRow, Tx
from refundflow.vault import Vault
from states import times


def registers_agree(tx: Tx, vault: Vault, people: Replayed, pinned: Collection[str]) -> Iterator[Finding]:
    """Compare every register with what its entries, or the names of its rows, say; `pinned` are policies of refunds."""
    yield from _staff_agrees(people, tx.staff_list())
    yield from _policies_agree(tx.policies(), pinned)
    yield from _calendars_agree(tx)
    for row in tx.scan_buyers():
        if not vault.is_sound(row):
            yield Finding("buyers", 0, f"the buyer {row.ref} is not who his reference says")


def _staff_agrees(chain: Replayed, rows: Iterable[StaffRow]) -> Iterator[Finding]:
    """Compare the registered persons with the chain of the register."""
    told = {name: said for name, said in chain.document.items() if isinstance(said, dict)}
    for row in rows:
        said = told.pop(row.name, None)
        stored = {**row.document, "roles": list(row.roles), "active": row.active}
        if said is None or any(stored.get(name) != value for name, value in said.items()):
            yield Finding(chain.subject, 0, f"the person {row.name} is not what the entries say")
    yield from (Finding(chain.subject, 0, f"the person {name} has no row") for name in told)


def _policies_agree(policies: Mapping[str, str], pinned: Collection[str]) -> Iterator[Finding]:
    """Check that every policy that a refund is pinned to is there, and is the one that its version names."""
    for version, content in policies.items():
        if sha256(content.encode()).hexdigest() != version:
            yield Finding("policies", 0, f"the policy {version} is not what its version says")
    missing = sorted(set(pinned) - set(policies))
    yield from (Finding("policies", 0, f"the policy {version} has no row") for version in missing)


def _calendars_agree(tx: Tx) -> Iterator[Finding]:
    """Check that every calendar is the one that its version names, and was imported as its chain says."""
    told = [
        (body["params"]["version"], entry.effective_at)
        for entry in tx.entries("calendar", order_id=REGISTER_ORDER)
        for body in [entry.parsed()]
        if body["event"] == "calendar_imported"
    ]
    for version, imported_at, content in tx.calendar_rows():
        try:
            found = calendars.parse(content).version
        except BadInput:
            found = None
        if found != version:
            yield Finding("calendar", 0, f"the calendar {version} is not what its version says")
        if imported_at is not None and (not told or told.pop(0) != (version, imported_at)):
            yield Finding("calendar", 0, f"the calendar {version} was not imported as the entries say")
    yield from (
        Finding("calendar", 0, f"the calendar {version} of {times.text(at)} has no row") for version, at in told
    )
