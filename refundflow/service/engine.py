"""One move, one transaction: lock the line, decide, seal, commit; try again when others were first."""

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from refundflow import audit, calendars, policies
from refundflow.errors import BadInput, Busy, ChangedMeanwhile, NotFound, Refused, RoleNotAllowed
from refundflow.service import door
from refundflow.service.callers import actor_on, require_known, require_registered
from refundflow.service.requests import Answer, Request, act_of, check
from refundflow.store import Conflict, Content, Move, Scene, Store, Stored, StoredEntry, StoredText, Tx
from refundflow.vault import BuyerRow, Vault, mask
from states import times
from states.calendar import Calendars
from states.case import Act, Actor, Aggregate, Case, Decision, Entry, Json, Ledger, line_subject
from states.decide import decide, due
from states.draft import Rules
from states.policy_values import Policy

log = logging.getLogger("refundflow.moves")
TRIES = 8
LONGEST_WAIT_SECONDS = 10  # in all tries together, before a caller is told that the database is busy
BEFORE_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # of a rehearsal whose first time was not said yet
T = TypeVar("T")
Begins = Callable[[], AbstractContextManager[Tx]]


class Enclosed(Struct, frozen=True):
    """The texts and files of an act: bound to its entry by commitments, and kept beside it."""

    commitments: Mapping[str, str]  # of texts, by name
    texts: Sequence[StoredText]
    contents: Sequence[Content]


class Engine:
    """The store, the vault and the rules of one open database; safe for threads."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self.store = store
        self.vault = Vault(store.secret, rehearsal=store.rehearsal)
        self.policy = policy
        self._policies: dict[str, Policy] = {policy.version: policy}
        self._policy_is_kept = False
        self.damaged: set[str] = set()  # what could not be read or moved, and was told
        self.missed: set[str] = set()  # channels that this process has not and needed, and was told
        with store.read() as tx:
            self.refresh(tx)

    # time and rules

    def time(self, tx: Tx, at: datetime | None) -> datetime:
        """Return the moment of an act: the database's in a live one, the caller's in a rehearsal.

        Raises:
            BadInput: a live database was told a time, or a rehearsal one that goes backwards, or none at all.
        """
        if not self.store.rehearsal:
            if at is not None:
                self._require_untold_time(at)
            return tx.now()
        last = tx.rehearsal_time()
        if at is None:
            if last is None:
                raise BadInput("a rehearsal needs its first time: say --at 2026-03-02T09:00:00+08:00", field="at")
            return last
        door.check_moment("at", at)
        if last is not None and at < last:
            reached = last.astimezone(ZoneInfo(self.policy.zone)).isoformat()
            raise BadInput(
                f"time never goes backwards: this rehearsal has reached {reached}; say that or later", field="at"
            )
        return times.moment(times.text(at))

    def _require_untold_time(self, at: datetime | None) -> None:
        if at is not None and not self.store.rehearsal:
            raise BadInput("a live database takes no time from a caller: leave out --at", field="at")

    def time_to_read(self, tx: Tx, at: datetime | None) -> datetime:
        """Return the moment of a read: as `time`, but a rehearsal may be looked at before its first time."""
        if at is not None:
            return self.time(tx, at)
        if not self.store.rehearsal:
            return tx.now()
        return tx.rehearsal_time() or BEFORE_TIME

    def reached(self, tx: Tx, now: datetime) -> None:
        """Remember how far a rehearsal has come."""
        if self.store.rehearsal and tx.rehearsal_time() != now:
            tx.set_rehearsal_time(now)

    def rules(self, tx: Tx, *aggregates: Aggregate) -> Rules:
        """Return the rules for lines: the policy in force, those pinned to their refunds, the calendars."""
        if tx.calendar_count != self.calendar_count:
            self.refresh(tx)
        for aggregate in aggregates:
            for case in aggregate.refunds.values():
                if case["policy"] not in self._policies:
                    self._restore_policy(tx, case)
        return self.known_rules

    def _restore_policy(self, tx: Tx, case: Case) -> None:
        """Read the policy that a refund is pinned to."""
        content = tx.policy(case["policy"])
        if content is None:
            raise BadInput(f"policy {case['policy']} of {case['id']} is not in the database", field="policy")
        self._policies[case["policy"]] = policies.restore(content)

    def refresh(self, tx: Tx) -> None:
        """Read the calendars again: somebody has imported one."""
        kept = [(imported_at, calendars.parse(content)) for imported_at, content in tx.calendars()]
        self.calendars = Calendars(kept)
        # with every policy that was or will be asked for
        self.known_rules = Rules(policy=self.policy, policies=self._policies, calendars=self.calendars)
        self.calendar_count = len(kept)  # last: another thread takes the rules for as new as the count

    # one transaction

    def write(self, work: Callable[[Tx], T], *, wipe: bool = False) -> T:
        """Run one short transaction, again a bounded number of times when others were in the way.

        With `wipe` what is deleted or replaced is overwritten where the database can do that.

        Raises:
            Busy: the database stayed locked, its disk is full, or it went away; only the message tells that it went
                at the commit.
            ChangedMeanwhile: others were first every time.
        """
        write = partial(self.store.write, wipe=wipe)
        return _repeatedly(write, write, work)

    def act(self, work: Callable[[Tx], T]) -> T:
        """Run what reads and then writes once: first without locks, then as `write` when others were in the way."""
        return _repeatedly(self.store.act, self.store.write, work)

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run a read on one snapshot.

        Raises:
            Busy: the database stayed locked.
        """
        with self.reading() as tx:
            return work(tx)

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """Give one snapshot to read.

        Raises:
            Busy: the database stayed locked.
        """
        try:
            with self.store.read() as tx:
                yield tx
        except Conflict as conflict:
            raise busy(conflict) from conflict

    def look(self, work: Callable[[Tx], T]) -> T:
        """Run a read of which one statement tells what may change; it costs no transaction.

        Raises:
            Busy: the database stayed locked.
        """
        try:
            with self.store.look() as tx:
                return work(tx)
        except Conflict as conflict:
            raise busy(conflict) from conflict

    def move(self, request: Request, facts: Callable[[Tx, Aggregate], Mapping[str, Json]] | None = None) -> Answer:
        """Carry one act out in one transaction.

        Raises:
            NotFound: no such line or refund, or not the caller's to see.
            RoleNotAllowed: the caller's role may not do this; recorded.
            Refused: the rules refuse it; recorded with every blocker.
            Busy, ChangedMeanwhile: nothing was done; see `write`.
        """
        if request.at is not None:
            self._require_untold_time(request.at)
        check(request)
        outcome = self.act(lambda tx: self.carry(tx, request, facts))
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def carry(
        self,
        tx: Tx,
        request: Request,
        facts: Callable[[Tx, Aggregate], Mapping[str, Json]] | None = None,
        *,
        quiet: bool = False,
    ) -> Answer | Refused:
        """Carry one act out within a transaction; a refusal is returned, for what comes before it is committed.

        `quiet` is for what the system tries by itself: its refusal leaves no entry.
        """
        what = request.what
        scene = self._scene(tx, request, what)
        stored, owner = scene.stored, scene.owner
        actor = actor_on(stored.aggregate.line, owner, request.caller, self.vault, what)
        used = tx.entry_by_key(request.order_id, what, request.key) if scene.key_used and request.key else None
        if used is not None and owner is None and used.event == request.event:
            # The key that named the request is destroyed: of an erased buyer's a repeat is known by its event alone.
            return self._first_answer(tx, used, stored, actor, owner)
        act, request_hash = act_of(request, what, actor, owner, stored.aggregate.line["payment_no"], self.vault)
        if used is not None and used.request_hash == request_hash:
            return self._first_answer(tx, used, stored, actor, owner)
        now = self.time(tx, request.at)
        if facts is not None or used is not None:
            told = dict(facts(tx, stored.aggregate)) if facts else {}
            act = replace(act, facts=told | ({"key_reused": used.event} if used is not None else {}))
        decision = decide(stored.aggregate, act, rules=self.rules(tx, stored.aggregate), now=now)
        if quiet and decision.refusal is not None:
            only_due = due(stored.aggregate, rules=self.known_rules, now=now)
            self.commit(tx, stored, only_due, now, owner)
        else:
            self.commit(
                tx, stored, decision, now, owner, request=request, what=what, act=act, request_hash=request_hash
            )
        if decision.refusal is not None:
            kind = RoleNotAllowed if decision.refusal.kind == "role" else Refused
            return kind(
                decision.refusal.blockers,
                decision.refusal.possible,
                what,
                zone=self.policy.zone,
                currency=stored.aggregate.line["currency"],
            )
        changed = decision.entry is not None
        return Answer(decision.aggregate, actor, owner, now, decision.refund, decision.waiting, changed)

    def _scene(self, tx: Tx, request: Request, what: str) -> Scene:
        """Read what the act finds; whoever may not act learns nothing of it.

        Raises:
            RoleNotAllowed: the caller is no registered member of staff.
            NotFound: no such line or refund.
        """
        scene = tx.scene(
            request.order_id, request.line, calendars=self.calendar_count, staff=request.caller.name, scope=what,
            key=request.key,
        )  # fmt: skip
        if not self.store.rehearsal:
            if scene is None:
                require_registered(tx, request.caller)
            else:
                require_known(request.caller, scene.roles)
        if scene is None or (request.refund is not None and request.refund not in scene.stored.aggregate.refunds):
            raise NotFound(what)
        return scene

    def commit(
        self,
        tx: Tx,
        stored: Stored,
        decision: Decision,
        now: datetime,
        owner: BuyerRow | None,
        *,
        request: Request | None = None,
        what: str | None = None,
        act: Act | None = None,
        request_hash: str | None = None,
    ) -> None:
        """Seal what was decided and write it: entries, documents, effects, texts and files together."""
        if not decision.entries:
            return
        rehearsed_until = now if self.store.rehearsal else None
        own = decision.entries[decision.entry] if decision.entry is not None else None
        if own is not None and decision.refusal is not None and _is_repeat(stored, decision.entries, own):
            found: Stored | None = stored
            if len(decision.entries) > 1:
                # What was due on other chains of the line is nothing between: a worker may have been there before.
                if not tx.session.locks:
                    raise Conflict("changed", "what is written twice needs a transaction")
                self.commit(tx, stored, due(stored.aggregate, rules=self.known_rules, now=now), now, owner)
                found = tx.aggregate(stored.aggregate.line["order_id"], stored.aggregate.line["line"], lock=True)
            assert found is not None, "a line that was read in this transaction is there"
            tx.count_refusal(found, own.subject, rehearsed_until=rehearsed_until)
            return
        taken, enclosed = decision.refusal is None, None
        if request is not None and act is not None and own is not None and (act.texts or request.files):
            # nothing of a buyer whose key was destroyed
            enclosed = self._enclosed(own, request, act.texts, owner.key, taken=taken) if owner is not None else None
        keyed = request is not None and request.key is not None and taken
        sealed = audit.seal(
            decision.entries,
            heads=stored.heads,
            recorded_at=now,
            key=request.key if keyed and request else None,
            key_scope=what if keyed else None,
            request_hash=request_hash if keyed else None,
            key_entry=decision.entry,
            correlation=request.correlation if request else None,
            commitments={decision.entry: enclosed.commitments} if enclosed and decision.entry is not None else None,
            repeats=stored.repeats,
        )
        opened = decision.refund is not None and decision.refund not in stored.aggregate.refunds
        tx.commit_moves(
            [Move(stored, decision, sealed, *((enclosed.texts, enclosed.contents) if enclosed else ()))],
            policy=self._policy_to_keep(tx) if opened else None,
            rehearsed_until=rehearsed_until,
        )
        if log.isEnabledFor(logging.INFO):
            _log(decision.entries, request)

    def lapse(self, tx: Tx, lines: Sequence[Stored], now: datetime) -> Counter[str]:
        """Write what is due on lines that were read under their locks, together; count the lines and the lapses."""
        rules = self.rules(tx, *(stored.aggregate for stored in lines))
        fired: list[tuple[Entry, ...]] = []

        def moves() -> Iterator[Move]:
            for stored in lines:
                decision = due(stored.aggregate, rules=rules, now=now)
                if decision.entries:
                    fired.append(decision.entries)
                    records = audit.seal(decision.entries, heads=stored.heads, recorded_at=now, repeats=stored.repeats)
                    yield Move(stored, decision, records)

        tx.commit_each(moves())
        self.reached(tx, now)
        if log.isEnabledFor(logging.INFO):
            for entries in fired:
                _log(entries, None)
        return Counter(lines=len(fired), lapsed=sum(map(len, fired)))

    def _policy_to_keep(self, tx: Tx) -> tuple[str, str] | None:
        """Return (version, text) of the policy in force until it is seen in the database: no policy ever leaves it."""
        version = self.policy.version
        if not self._policy_is_kept:
            self._policy_is_kept = tx.policy(version) is not None
        return None if self._policy_is_kept else (version, policies.content_of(self.policy))

    def _enclosed(
        self, entry: Entry, request: Request, texts: Mapping[str, str], key: bytes, *, taken: bool
    ) -> Enclosed:
        """Return the texts of an act, and its files where it was taken, as they are kept: encrypted."""
        vault, place = self.vault, (request.order_id, entry.subject, entry.seq)
        commitments = {name: vault.commitment(key, *place[1:], name, text) for name, text in texts.items()}
        kept, contents = dict(texts), []
        for index, file in enumerate(request.files if taken else ()):
            digest = sha256(file.content).hexdigest()
            commit = vault.evidence_commitment(key, digest)
            contents.append(Content(commit, vault.encrypt(key, file.content, f"evidence|{commit}")))
            about = {"name": mask(file.filename), "commit": commit, "sha256": digest}
            kept[f"file.{index}"] = json.dumps(about, ensure_ascii=False)
        context = f"{entry.subject}|{entry.seq}|"
        ciphers = [StoredText(*place, name, vault.encrypt(key, text, context + name)) for name, text in kept.items()]
        return Enclosed(commitments, ciphers, contents)

    def _first_answer(self, tx: Tx, used: StoredEntry, stored: Stored, actor: Actor, owner: BuyerRow | None) -> Answer:
        """Return what the key's first call answered: the line and its refunds as that call left them."""
        aggregate = self._as_of(tx, used, stored.aggregate)
        self.rules(tx, aggregate)
        return Answer(
            aggregate=aggregate,
            actor=actor,
            owner=owner,
            now=used.effective_at,
            refund=used.subject if used.subject in aggregate.refunds else None,
            waiting=bool(used.parsed()["params"].get("first")),
        )

    def _as_of(self, tx: Tx, used: StoredEntry, now: Aggregate) -> Aggregate:
        """Replay the chains of a line up to the end of one transaction: entries are numbered under the line's lock.

        They are read at one moment, for nobody need be kept away meanwhile.
        """
        line = line_subject(now.line["order_id"], now.line["line"])
        chains = tx.chains(used.order_id, (line, *now.refunds))
        end = used.gid
        for entry in sorted((entry for chain in chains.values() for entry in chain), key=lambda entry: entry.gid):
            if entry.gid > end and not _follows(entry):
                break
            end = max(end, entry.gid)
        ledger: Counter[str] = Counter()
        documents: dict[str, Any] = {}
        for name, chain in chains.items():
            document, changes = audit.replay(entry.parsed() for entry in chain if entry.gid <= end)
            ledger.update(changes)
            documents |= {name: document} if document else {}
        return Aggregate(line=documents.pop(line), ledger=Ledger(**ledger), refunds=documents)


def busy(conflict: Conflict) -> Busy:
    """Say why the database could not be used: it was locked all the time, or it is not there."""
    why = " ".join(conflict.detail.split()) if conflict.reason == "away" else "the database stayed busy"
    return Busy(f"{why}: try again in a moment")


def _repeatedly(first: Begins, then: Begins, work: Callable[[Tx], T]) -> T:
    """Do one work in one transaction after the other until no others are in the way; see `Engine.write`."""
    end = time.monotonic() + LONGEST_WAIT_SECONDS
    for tried in range(TRIES):
        try:
            with then() if tried else first() as tx:
                return work(tx)
        except Conflict as conflict:
            if conflict.reason == "unknown":
                raise Busy(
                    "the database went away while it was committing: repeat the call with its key, or look first"
                ) from conflict
            if conflict.reason == "disk":
                raise Busy(f"the database cannot write: {conflict}; nothing was done") from conflict
            last = conflict
            if time.monotonic() > end:
                break
            if tried:  # at the first retry an act queues for the lock of its line
                time.sleep(random.uniform(0, 0.01 * 2**tried))
    if last.reason != "changed":
        raise busy(last) from last
    raise ChangedMeanwhile("others changed it meanwhile, several times: look again and decide anew") from last


def _is_repeat(stored: Stored, entries: Sequence[Entry], own: Entry) -> bool:
    """Tell whether a refusal is that of its chain's newest entry again, with nothing between."""
    chain = stored.chains.get(own.subject)
    if chain is None or chain.refusal is None or any(e.subject == own.subject for e in entries if e is not own):
        return False
    return chain.refusal == audit.fingerprint(own)


def _follows(entry: StoredEntry) -> bool:
    """Tell whether an entry was written in the transaction of the one before it, as a part of the same act."""
    if entry.event in ("stray_payment", "stray_payment_returned", "resolved_came_back"):
        return True
    told = entry.event in ("chargeback_opened", "chargeback_closed") and "/" not in entry.subject
    return told or entry.parsed().get("cause") is not None


def _log(entries: Sequence[Entry], request: Request | None) -> None:
    for entry in entries:
        line = {
            "refund": entry.subject,
            "seq": entry.seq,
            "event": entry.event,
            "kind": entry.kind,
            "actor": f"{entry.actor.role}:{entry.actor.name}",
            "key": request.key if request else None,
            "correlation": request.correlation if request else None,
        }
        log.info(json.dumps(line))
