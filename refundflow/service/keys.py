"""The keys of the log: made, registered, rotated and retired; every change is an entry of the chain "keys"."""

from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from refundflow import audit, config, values
from refundflow.errors import BadInput, Misconfigured, NotFound, RoleNotAllowed
from refundflow.proof import SigningKey, VerifyingKey, known_keys, origin_of, read_key
from refundflow.proof.keys import KnownKey, replace_key, write_key
from refundflow.service.callers import Caller, parse_caller, require_registered
from refundflow.service.log import LogWork
from refundflow.store import REGISTER_ORDER, Head, Tx
from states import times
from states.case import Actor, Blocker, Entry, Json

SUBJECT: Literal["keys"] = "keys"


class Keys(LogWork):
    """Who may sign checkpoints; the private half of a key never enters the database."""

    def keys(self) -> tuple[values.LogKey, ...]:
        """Return every key that is or was registered, the oldest first."""
        return tuple(_shown(known) for known in self.engine.read(known_keys))

    def key_create(
        self, *, actor: str, origin: str | None = None, file: Path | None = None, at: datetime | None = None
    ) -> values.LogKey:
        """Make a key in the file of the setting (or another) and register it; a key that is there is registered.

        `origin` names the log, once and for ever; by default it follows from the database.

        Raises:
            BadInput: no file is named, or the log has another name.
            Misconfigured: the file holds no key, or others can read it.
            RoleNotAllowed: the actor is no supervisor.
        """
        caller, path = parse_caller(actor), self._key_file(file)
        name = self.engine.read(lambda tx: self._log_name(tx, caller, origin))
        key = read_key(path) if path.exists() else _made(path, name)
        if key.name != name:
            raise BadInput(f"the key in {path} is of {key.name}, this log is {name}", field="origin")
        return self._register_key(key.verifying, caller, at)

    def key_rotate(self, *, actor: str, at: datetime | None = None) -> values.LogKey:
        """Let a new key take the place of the one in the file: both sign one checkpoint, then the old one is retired.

        So whoever knows the old key alone finds the new one in the log. After an interruption the same call goes on.
        The old key lies beside the file afterwards, named with its id; nothing needs it any more.

        Raises:
            Misconfigured: no key is set up.
            RoleNotAllowed: the actor is no supervisor.
        """
        caller, path = parse_caller(actor), self._key_file(None)
        name = self.engine.read(lambda tx: self._log_name(tx, caller, None))
        old, following = read_key(path), path.with_name(f"{path.name}.new")
        new = read_key(following) if following.exists() else _made(following, name)
        added = self._register_key(new.verifying, caller, at)
        active = {known.key for known in self.engine.read(known_keys) if known.until is None}
        if old.verifying in active:
            self._checkpoint(at, again=False, keys=[old, new])
            self._retire_key(old.verifying.id, caller, at)
        replace_key(path, following, old)
        self._checkpoint(at, again=False)
        return added

    def key_retire(self, key_id: str, *, actor: str, at: datetime | None = None) -> values.LogKey:
        """Let a key, by its id or whole, sign no more; what it signed stays signed.

        Raises:
            NotFound: no such key is registered.
            RoleNotAllowed: the actor is no supervisor.
        """
        caller = parse_caller(actor)
        self.engine.read(lambda tx: self._log_name(tx, caller, None))
        return self._retire_key(key_id, caller, at)

    def _key_file(self, file: Path | None) -> Path:
        path = file or self.signing_key
        if path is None:
            raise Misconfigured(
                f"say where the key is to be: set {config.SIGNING_KEY} to the path of a file", field=config.SIGNING_KEY
            )
        return path

    def _log_name(self, tx: Tx, caller: Caller, origin: str | None) -> str:
        """Return the name of the log, when the caller may change its keys."""
        if caller.role != "supervisor":
            params = {"role": caller.role, "roles": ["supervisor"]}
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)
        name = origin_of(tx, self.engine.store.secret)
        if origin in (None, name):
            return name
        if known_keys(tx):
            raise BadInput(f"this log is {name}, for ever: a key of another name cannot sign it", field="origin")
        return str(origin)

    def _register_key(self, key: VerifyingKey, caller: Caller, at: datetime | None) -> values.LogKey:
        def work(tx: Tx) -> values.LogKey:
            end = self._end_of_register(tx, at)
            for known in known_keys(tx):
                if known.key.id == key.id:
                    if known.key != key or known.until is not None:
                        raise BadInput(f"the key {key.id} was retired: a key is never taken back", field="key")
                    return _shown(known)
            said: dict[str, Json] = {"vkey": str(key), "since": times.text(end.following)}
            self._write_key_entry(tx, "key_added", {"key": key.id, "vkey": str(key)}, {key.id: said}, caller, end)
            return _shown(KnownKey(key, end.following, None))

        return self.engine.write(work)

    def _retire_key(self, key_id: str, caller: Caller, at: datetime | None) -> values.LogKey:
        def work(tx: Tx) -> values.LogKey:
            end = self._end_of_register(tx, at)
            known = next((item for item in known_keys(tx) if key_id in (item.key.id, str(item.key))), None)
            if known is None:
                raise NotFound(key_id)
            if known.until is not None:
                return _shown(known)
            patch: dict[str, Json] = {known.key.id: {"until": times.text(end.following)}}
            self._write_key_entry(tx, "key_retired", {"key": known.key.id, "vkey": str(known.key)}, patch, caller, end)
            return _shown(KnownKey(known.key, known.since, end.following))

        return self.engine.write(work)

    def _end_of_register(self, tx: Tx, at: datetime | None) -> "_End":
        head = tx.head(REGISTER_ORDER, SUBJECT)
        now = self.engine.time_to_read(tx, at)
        return _End(head, now, tx.not_before(SUBJECT, now))

    def _write_key_entry(
        self, tx: Tx, event: str, params: dict[str, Json], patch: dict[str, Json], caller: Caller, end: "_End"
    ) -> None:
        entry = Entry(
            subject=SUBJECT,
            seq=end.head.seq + 1,
            kind="fact",
            event=event,
            before=None,
            after=None,
            effective_at=times.text(end.following),
            actor=Actor(role=caller.role, name=caller.name),
            params=params,
            texts=(),
            patch=patch,
            ledger={},
            policy=self.engine.policy.version,
            calendar=self.engine.calendars.at(end.now).version,
        )
        sealed = audit.seal([entry], heads={SUBJECT: end.head.hash}, recorded_at=end.now)
        tx.append_register_entry(SUBJECT, sealed[0])
        self.engine.reached(tx, end.now)


class _End(NamedTuple):
    """Where the register ends, read before anything else of it: the next entry stands on what was looked at."""

    head: Head
    now: datetime
    following: datetime  # the effective time of the next entry


def _made(path: Path, name: str) -> SigningKey:
    key = SigningKey.generate(name)
    write_key(path, key)
    return key


def _shown(known: KnownKey) -> values.LogKey:
    return values.LogKey(vkey=str(known.key), id=known.key.id, since=known.since, until=known.until)
