"""The file of one case: all that a reader may see of a refund and of its order line, read on one snapshot."""

from bisect import bisect
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidTag

from refundflow import values
from refundflow.proof import Log
from refundflow.service import views
from refundflow.service.callers import parse_caller
from refundflow.service.queries import Queries
from refundflow.store import Tx
from states.case import Aggregate, line_subject
from states.decide import due


class CaseFiles(Queries):
    """What a dossier is made from."""

    def case_file(
        self, refund_id: str, *, actor: str, at: datetime | None = None, buyer: str | None = None
    ) -> values.CaseFile:
        """Return a refund as a move would find it now, with its order line, both histories and digests of evidence.

        Every piece of evidence is read and hashed: milliseconds per megabyte.

        Raises:
            NotFound: it does not exist, or is not the actor's to see.
        """
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.CaseFile:
            seen = self._see(tx, refund_id, caller, at)
            aggregate, owner, now = seen.aggregate, seen.owner, seen.now
            line = aggregate.line
            refund = self._view(tx, seen, refund_id)
            rules = self.engine.rules(tx, aggregate)
            found = due(aggregate, rules=rules, now=now).aggregate
            subject, log = line_subject(line["order_id"], line["line"]), Log(tx)
            return values.CaseFile(
                refund=refund,
                line=views.order_line(found, buyer_id=self.buyer_id(owner)),
                entries=self._entries(tx, aggregate, owner, refund_id, caller, at),
                line_entries=self._entries(tx, aggregate, owner, subject, caller, at),
                digests=self._digests(tx, aggregate, refund.evidence),
                stored=aggregate.refunds[refund_id]["seq"],
                head=tx.head(line["order_id"], refund_id).hash,
                checkpoint=_checkpoint(log),
                covered=_covered(tx, log, refund_id, line["order_id"]),
                zone=rules.policies[refund.policy].zone,
                made_at=now,
                rehearsal=self.engine.store.rehearsal,
                for_buyer=caller.reads_as_buyer,
            )

        return self.engine.read(read)

    def _digests(self, tx: Tx, aggregate: Aggregate, evidence: Iterable[values.Evidence]) -> dict[int, str]:
        """Hash the contents of evidence that can still be read."""
        owner = tx.buyer(aggregate.line["buyer"])
        digests: dict[int, str] = {}
        if owner is None:
            return digests
        for item in evidence:
            cipher = tx.content(owner.ref, item.commitment)
            if cipher is None:
                continue
            try:
                content = self.engine.vault.decrypt(owner.key, cipher, f"evidence|{item.commitment}")
            except InvalidTag:
                continue  # what is stored is not what was given: `audit verify` names it, a digest would vouch for it
            digests[item.file] = sha256(content).hexdigest()
        return digests


def _checkpoint(log: Log) -> values.Checkpoint | None:
    """Return the newest checkpoint of the log."""
    found = log.stored
    if found is None:
        return None
    return values.Checkpoint(
        number=found.number, size=found.size, root=found.root, note=found.note, made_at=found.made_at
    )


def _covered(tx: Tx, log: Log, refund_id: str, order_id: str) -> int:
    """Count the entries of a chain under the newest checkpoint: the first ones, for leaves follow each chain."""
    gids = [entry.gid for entry in tx.entries(refund_id, order_id=order_id)]

    def is_newer(gid: int) -> bool:
        leaf = tx.leaf_of(gid)
        return leaf is None or leaf >= log.size

    return bisect(gids, False, key=is_newer)
