"""The log of all entries: checkpoints at a cadence and by hand, their publication, and proofs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from refundflow import proof, values
from refundflow.errors import BadInput, NotFound
from refundflow.proof import Cadence, Log, checkpointer, proofs, publish
from refundflow.service.callers import Caller, parse_caller
from refundflow.service.reading import Reading
from refundflow.service.requests import place_of
from refundflow.service.work import never
from refundflow.store import REGISTER_ORDER, StoredCheckpoint, Tx
from refundflow.store.entries import Register

REGISTERS = get_args(Register)


class LogWork(Reading):
    """Numbering entries, making checkpoints, and proving what stands under them."""

    signing_key: Path | None = None  # the file of the private key
    place: publish.Place | None = None  # where checkpoints are published

    def checkpoint(
        self,
        *,
        at: datetime | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> values.Checkpoint:
        """Make a checkpoint over every settled entry, and publish what is not published yet.

        Where nothing is new the newest one is returned. Without a signing key it is a head that nobody has signed,
        and nothing is published. On PostgreSQL what was written a moment ago may be left for the next one.

        Raises:
            Misconfigured: the key cannot be read, or is not registered.
            ProofFailed: what was published is not what the database holds; nothing was signed.
        """
        return self._checkpoint(at, again=False, progress=progress)

    def checkpoint_when_due(
        self, cadence: Cadence, *, at: datetime | None = None, stop: Callable[[], bool] = never
    ) -> values.Checkpoint | None:
        """Make a checkpoint when it is time for one, and publish what is not published yet; None: it is not time.

        Only with a signing key; safe to call from many processes.
        """
        if self.signing_key is None:
            return None

        def look(tx: Tx) -> tuple[bool, StoredCheckpoint | None]:
            newest, now = tx.newest_signed_checkpoint(), self.engine.time_to_read(tx, at)
            return cadence.is_due(newest, checkpointer.new_entries(tx), now), newest

        due, newest = self.engine.read(look)
        if not due or stop():
            return None
        made = self._checkpoint(at, again=True, cadence=cadence, stop=stop)
        return made if newest is None or made.number != newest.number else None

    def checkpoints(self, *, limit: int = 50) -> tuple[values.Checkpoint, ...]:
        """Return the newest checkpoints in the order in which they were made."""

        def read(tx: Tx) -> tuple[values.Checkpoint, ...]:
            newest = tx.newest_checkpoint()
            after = newest.number - limit if newest else 0
            return tuple(_checkpoint(stored) for stored in tx.checkpoints(after_number=max(after, 0)))

        return self.engine.read(read)

    def prove(
        self,
        subject: str,
        seq: int | None = None,
        *,
        actor: str,
        at: datetime | None = None,  # taken as with every read; a proof is of what is stored
        buyer: str | None = None,
    ) -> dict[str, Any]:
        """Return the proof that one entry of a chain, or each, is in the log under the newest signed checkpoint.

        `subject` is a refund, an order line (``ORDER/LINE``) or a register. Entries that came after the checkpoint
        are left out where all are asked for.

        Raises:
            NotFound: no such chain or entry, not the actor's to see, or not under the checkpoint yet.
            BadInput: there is no signed checkpoint.
        """
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> dict[str, Any]:
            order_id = self._order_of(tx, subject, caller)
            chain = [entry for entry in tx.entries(subject, order_id=order_id) if seq in (None, entry.seq)]
            under = _signed(tx)
            covered = [entry for entry in chain if entry.gid <= under.last_gid] if seq is None else chain
            if not covered:
                place = subject if seq is None else f"{subject}:{seq}"
                raise NotFound(f"{place} under the newest checkpoint")
            return proofs.inclusion_file(under, subject, covered)

        return self.engine.read(read)

    def consistency(self, first: int, second: int | None = None) -> dict[str, Any]:
        """Return the proof that the checkpoint of one size (by default the newest) begins with that of another.

        Raises:
            NotFound: no checkpoint has that size.
            BadInput: one of them is not signed, or the first is the larger.
        """

        def read(tx: Tx) -> dict[str, Any]:
            earlier, later = Log(tx, first), _signed(tx) if second is None else Log(tx, second)
            if earlier.size > later.size:
                raise BadInput(
                    f"{earlier.size} is more than {later.size}: name the earlier checkpoint first", field="first"
                )
            return proofs.consistency_file(earlier, later)

        return self.engine.read(read)

    def publish(self) -> int:
        """Publish every signed checkpoint that is not published yet; return how many.

        Raises:
            ProofFailed: something else stands where it belongs.
            RefundflowError: the place cannot be written; the next call goes on.
        """
        place = self.place
        return 0 if place is None else self.engine.read(lambda tx: publish.publish(tx, place))

    def _checkpoint(
        self,
        at: datetime | None,
        *,
        again: bool,
        keys: Sequence[proof.SigningKey] | None = None,
        cadence: Cadence | None = None,
        progress: Callable[[int], None] | None = None,
        stop: Callable[[], bool] = never,
    ) -> values.Checkpoint:
        if keys is None:
            keys = [proof.read_key(self.signing_key)] if self.signing_key is not None else []
        self._number(progress, stop)
        published = publish.published_head(self.place) if self.place is not None else None

        def make(tx: Tx) -> StoredCheckpoint:
            tx.hold_log()
            now = self.engine.time_to_read(tx, at)
            signed = tx.newest_signed_checkpoint()  # one that nobody has signed, made where the key is not, delays none
            new = tx.log_end().size - (signed.size if signed is not None else 0)
            if cadence is not None and signed is not None and not cadence.is_due(signed, new, now):
                return signed  # somebody else was first, or what is new is not settled yet
            if at is not None:
                self.engine.reached(tx, now)
            return checkpointer.make_checkpoint(tx, self.engine.store.secret, keys, now, published, again=again)

        made = self.engine.write(make)
        self.publish()
        return _checkpoint(made)

    def _number(self, progress: Callable[[int], None] | None, stop: Callable[[], bool]) -> None:
        """Give a leaf to all that is settled, in short transactions; it is read and hashed outside of them."""
        look = self.engine.read if self.engine.store.dialect == "sqlite" else self.engine.write
        horizon = look(lambda tx: tx.horizon())
        while not stop():
            end, leaves = self.engine.read(lambda tx: checkpointer.next_leaves(tx, horizon))
            if not leaves:
                return
            added = self.engine.write(lambda tx, e=end, some=leaves: checkpointer.number(tx, e, some))  # type: ignore[misc]
            if added and progress:
                progress(len(leaves))

    def _order_of(self, tx: Tx, subject: str, caller: Caller) -> str:
        """Return the order id of a chain that the caller may see."""
        if subject in REGISTERS:
            self._registered(tx, caller)
            if caller.buyer_seen is not None:
                raise NotFound(subject)
            return REGISTER_ORDER
        order_id, line = subject.split("/", 1) if "/" in subject else place_of(subject)
        self._sight(tx, order_id, line, caller, subject)
        return order_id


def _signed(tx: Tx) -> Log:
    """Return the log up to the newest signed checkpoint; up to the newest where none is signed."""
    signed = tx.newest_signed_checkpoint()
    return Log(tx, signed.size if signed is not None else None)


def _checkpoint(stored: StoredCheckpoint) -> values.Checkpoint:
    return values.Checkpoint(
        number=stored.number, size=stored.size, root=stored.root, note=stored.note, made_at=stored.made_at
    )
