"""Erasing one buyer, step by step: the key first, then entries and deletions in bounded transactions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from refundflow import audit, values
from refundflow.errors import Busy, NotFound, Refused
from refundflow.service.callers import Caller
from refundflow.service.engine import Engine
from refundflow.store import REGISTER_ORDER, Conflict, StoredEntry, Tx
from refundflow.vault import BuyerRow
from states import erasing, times
from states.case import Actor, Blocker, Entry, Json

SUBJECT: Literal["privacy"] = "privacy"
CONTENTS = 10  # files of one transaction, 10 MiB each by default


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """An erasure under way: whose, why, and the entry of the register that says so."""

    ref: str
    reason: str
    seq: int
    at: datetime
    resumed: bool


def unfinished(tx: Tx) -> list[Begun]:
    """Return the erasures that were begun and have not ended, the oldest first: one under way, or interrupted."""
    refs = set(tx.unfinished_erasures())
    return [begun for begun in reversed(_begun(tx)) if begun.ref in refs] if refs else []


def _begun(tx: Tx) -> list[Begun]:
    """Return every erasure that was ever begun, the newest first."""
    return [
        Begun(ref=params["buyer"], reason=params["reason"], seq=entry.seq, at=entry.effective_at, resumed=True)
        for entry, params in reversed(_told(tx, "erasure_begun"))
    ]


def _told(tx: Tx, event: str) -> list[tuple[StoredEntry, dict[str, Json]]]:
    """Return the facts of the register with what they say, the oldest first."""
    found = [entry for entry in tx.entries(SUBJECT, order_id=REGISTER_ORDER) if entry.event == event]
    return [(entry, entry.parsed()["params"]) for entry in found if entry.kind == "fact"]


class Eraser:
    """The steps of the erasures of one buyer that one caller asks for; each may be the last of its process."""

    def __init__(self, engine: Engine, caller: Caller, lookup: str, at: datetime | None) -> None:
        self.engine, self._lookup, self._at = engine, lookup, at
        self._actor = Actor(role=caller.role, name=caller.name)

    def next(self, tx: Tx, reason: str) -> Begun | Refused | None:
        """Return what is to be ended, or else was begun now; None: there is no such buyer."""
        owner = tx.hold_buyer(self._lookup)  # first: whoever begins at the same time has begun, or waits
        return self._under_way(tx, reason) or (self._begin(tx, owner, reason) if owner else None)

    def _under_way(self, tx: Tx, reason: str) -> Begun | None:
        """Return an erasure that was interrupted; one at its very end, where nothing names its buyer, by its reason."""
        ref = tx.erasing(self._lookup)
        refs = [ref] if ref else tx.forgotten()
        for begun in _begun(tx) if refs else ():
            if begun.ref in refs and (ref or begun.reason == reason):
                return begun
        if ref:
            raise NotFound(f"entry of the erasure of {ref}")
        return None

    def _begin(self, tx: Tx, owner: BuyerRow, reason: str) -> Begun | Refused:
        """Destroy the key of a buyer of whom everything is at its end."""
        now = self.engine.time(tx, self._at)
        blockers = [item for place in tx.places_in_question(owner.ref) for item in self._open(tx, place, now)]
        params = {"buyer": owner.ref, "reason": reason}
        seq = self._register(tx, "erasure_begun", params, now, blockers, {"begun": times.text(now)})
        if blockers:
            return Refused(blockers, zone=self.engine.policy.zone)
        tx.destroy_key(owner)
        return Begun(ref=owner.ref, reason=reason, seq=seq, at=now, resumed=False)

    def _open(self, tx: Tx, place: tuple[str, str], now: datetime) -> tuple[Blocker, ...]:
        stored = tx.aggregate(*place, lock=True)
        if stored is None:
            return ()
        return erasing.open_matters(stored.aggregate, rules=self.engine.rules(tx, stored.aggregate), now=now)

    def go_on(self, begun: Begun, batch: int, progress: Callable[[int], None] | None) -> values.Erasure:
        """Do what is left of an erasure that was begun."""
        done: Counter[str] = Counter()
        place: tuple[str, str] | None = ("", "")
        while place is not None:
            after = place
            place, counted = self.engine.write(
                lambda tx, after=after: self._erase_some(tx, begun, after, batch),  # type: ignore[misc]
                wipe=True,
            )
            done.update(counted)
            if progress:
                progress(counted["lines"])
        while files := self.engine.write(lambda tx: tx.delete_contents(begun.ref, CONTENTS), wipe=True):
            done["files"] += files
        self._settle()
        erased_at = self.engine.write(lambda tx: self._end(tx, begun), wipe=True)
        self._settle()
        self.engine.write(lambda tx: tx.erasure_over(begun.ref))
        return values.Erasure(buyer=begun.ref, reason=begun.reason, erased_at=erased_at, resumed=begun.resumed, **done)

    def _erase_some(
        self, tx: Tx, begun: Begun, after: tuple[str, str], batch: int
    ) -> tuple[tuple[str, str] | None, Counter[str]]:
        """Write the entries of some lines and delete their texts; return the place reached, None at the end."""
        done: Counter[str] = Counter()
        lines = tx.lines_of(begun.ref, after, batch)
        for item in lines:
            done["lines"] += 1
            if item.erased:
                continue
            stored = tx.aggregate(item.order_id, item.line, lock=True)
            if stored is None:
                continue
            now = self.engine.time(tx, self._at)
            rules = self.engine.rules(tx, stored.aggregate)
            params = {"reason": begun.reason, "entry": begun.seq}
            decision = erasing.erase(stored.aggregate, self._actor, params, rules=rules, now=now)
            self.engine.commit(tx, stored, decision, now, None)
            done["refunds"] += len(decision.aggregate.refunds)
            done["texts"] += tx.delete_texts(item.order_id, begun.ref)
            for subject in (stored.subject, *decision.aggregate.refunds):
                tx.forget_problems(item.order_id, subject)
        return ((lines[-1].order_id, lines[-1].line) if len(lines) == batch else None), done

    def _end(self, tx: Tx, begun: Begun) -> datetime:
        """Say once that an erasure has ended, and forget what found the buyer; return when it was said."""
        params = {"buyer": begun.ref, "reason": begun.reason, "entry": begun.seq}
        if tx.is_forgotten(begun.ref) or begun.resumed:  # somebody else called at the same time, or came this far
            for entry, said in _told(tx, "erasure_ended"):
                if said == params:
                    tx.forget_lookup(begun.ref)
                    return entry.effective_at
        now = self.engine.time(tx, self._at)
        self._register(tx, "erasure_ended", params, now, [], {"ended": times.text(now)})
        tx.forget_lookup(begun.ref)
        return now

    def _settle(self) -> None:
        why: object = "somebody still reads the database as it was before"
        try:
            if self.engine.store.settle():
                return
        except Conflict as conflict:
            why = conflict
        raise Busy(
            f"the key is destroyed, but its old bytes stand in the write-ahead log ({why}): the same call again ends it"
        )

    def _register(
        self,
        tx: Tx,
        event: str,
        params: dict[str, Json],
        now: datetime,
        blockers: list[Blocker],
        said: dict[str, Json],
    ) -> int:
        """Add an entry to the register of erasures and return its number."""
        head = tx.head(REGISTER_ORDER, SUBJECT)
        entry = Entry(
            subject=SUBJECT,
            seq=head.seq + 1,
            kind="refused" if blockers else "fact",
            event=event,
            before=None,
            after=None,
            effective_at=times.text(tx.not_before(SUBJECT, now)),
            actor=self._actor,
            params=params,
            texts=(),
            patch={} if blockers else {params["buyer"]: said},
            ledger={},
            policy=self.engine.policy.version,
            calendar=self.engine.calendars.at(now).version,
            blockers=tuple(blockers),
        )
        [sealed] = audit.seal([entry], heads={SUBJECT: head.hash}, recorded_at=now)
        tx.append_register_entry(SUBJECT, sealed)
        self.engine.reached(tx, now)
        return entry.seq
