"""Personal data of one buyer: what is kept of him, and its erasure without breaking a chain."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime

from refundflow import values
from refundflow.errors import BadInput, NotFound, Refused, RoleNotAllowed
from refundflow.service import views
from refundflow.service.callers import Caller, parse_caller
from refundflow.service.door import check_reference
from refundflow.service.erasing import Eraser
from refundflow.service.reading import Reading, Seen
from refundflow.store import Stored, Tx
from refundflow.vault import BuyerRow, Vault, mask
from states import times
from states.case import Actor, Aggregate, Blocker
from states.decide import due

BATCH = 20  # order lines of one transaction
_MAY = ("supervisor",)


class Privacy(Reading):
    """What a person may ask: what do you keep of me, and forget me."""

    def privacy_show(self, buyer_id: str, *, actor: str, at: datetime | None = None) -> values.PersonalData:
        """Return everything that is kept of one buyer: orders, refunds, every text and every file.

        Raises:
            NotFound: nobody of that id is known, or he was erased.
            RoleNotAllowed: the actor is no supervisor.
        """
        caller = parse_caller(actor)
        check_reference("buyer", buyer_id)
        self._require_privacy(caller)

        def read(tx: Tx) -> values.PersonalData:
            owner = tx.buyer_by_lookup(self.engine.vault.buyer_lookup(buyer_id))
            if owner is None:
                raise NotFound(buyer_id)
            who, now = Actor(role=caller.role, name=caller.name), self.engine.time_to_read(tx, at)
            lines = [Seen(line.aggregate, owner, who, now) for line in _lines(tx, owner)]
            found = [due(it.aggregate, rules=self.engine.rules(tx, it.aggregate), now=now).aggregate for it in lines]
            return values.PersonalData(
                buyer_id=buyer_id,
                orders=tuple(views.order_line(line, buyer_id=buyer_id) for line in found),
                refunds=tuple(self._view(tx, line, refund) for line in lines for refund in line.aggregate.refunds),
                texts=tuple(_texts(self.engine.vault, tx, owner)),
                files=tuple(_files(self.engine.vault, tx, owner, found)),
            )

        return self.engine.read(read)

    def privacy_erase(
        self,
        buyer_id: str,
        *,
        reason: str,
        actor: str,
        at: datetime | None = None,
        progress: Callable[[int], None] | None = None,
        batch: int = BATCH,
    ) -> values.Erasure:
        """Destroy the key of everything that can identify a buyer, and say so in every chain of his orders.

        The key goes first, with an entry of the register that says who and why: from then on nothing can be read.
        Entries and deletions follow in transactions of at most `batch` order lines, told to `progress`. Whatever
        interrupts them, the same call goes on; after its end the buyer is not known any more. `reason` stays for
        ever and in clear: a reference, no name.

        Raises:
            NotFound: nobody of that id is known, or he was erased.
            BadInput: no reason, or one that names the buyer.
            Refused: a refund is not at its end, or a chargeback is open.
            RoleNotAllowed: the actor is no supervisor.
            Busy: readers held the old bytes too long; everything else is done, the same call ends it.
        """
        caller = parse_caller(actor)
        check_reference("buyer", buyer_id)
        why = _checked(reason, buyer_id)
        self._require_privacy(caller)
        eraser = Eraser(self.engine, caller, self.engine.vault.buyer_lookup(buyer_id), at)
        ended = None
        while begun := self.engine.write(lambda tx: eraser.next(tx, why), wipe=True):
            if isinstance(begun, Refused):
                raise begun
            ended = eraser.go_on(begun, batch, progress)
            if not begun.resumed:  # else he may have come back meanwhile
                break
        if ended is None:
            raise NotFound(buyer_id)
        return ended

    def _require_privacy(self, caller: Caller) -> None:
        if caller.role not in _MAY:
            params = {"role": caller.role, "roles": list(_MAY)}
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
        self.engine.read(lambda tx: self._registered(tx, caller))


def _lines(tx: Tx, owner: BuyerRow) -> Iterator[Stored]:
    place = ("", "")
    while lines := tx.lines_of(owner.ref, place, BATCH):
        for item in lines:
            stored = tx.aggregate(item.order_id, item.line, lock=False)
            if stored is not None:
                yield stored
        place = (lines[-1].order_id, lines[-1].line)


def _texts(vault: Vault, tx: Tx, owner: BuyerRow) -> Iterator[values.StoredText]:
    for item in tx.texts_of(owner.ref):
        if not item.field.startswith("file."):
            context = f"{item.subject}|{item.seq}|{item.field}"
            text = vault.decrypt(owner.key, item.cipher, context).decode()
            yield values.StoredText(subject=item.subject, seq=item.seq, field=item.field, text=text)


def _files(vault: Vault, tx: Tx, owner: BuyerRow, lines: list[Aggregate]) -> Iterator[values.StoredFile]:
    names: dict[tuple[str, str], dict[str, str]] = {}
    for item in tx.texts_of(owner.ref):
        if item.field.startswith("file."):
            about = json.loads(vault.decrypt(owner.key, item.cipher, f"{item.subject}|{item.seq}|{item.field}"))
            names[item.subject, about["commit"]] = about
    for case in (case for line in lines for case in line.refunds.values()):
        for number, file in sorted(case["evidence"].items(), key=lambda pair: int(pair[0])):
            named = names.get((case["id"], file["commit"]), {})
            yield values.StoredFile(
                refund=case["id"],
                file=int(number),
                kind=file["kind"],
                name=named.get("name", ""),
                media_type=file["media_type"],
                size=file["size"],
                sha256=named.get("sha256"),
                at=times.moment(file["at"]),
            )


def _checked(reason: str, buyer_id: str) -> str:
    """Check the reason, which is kept in clear for ever.

    Raises:
        BadInput: none, more than a line, or one that names the buyer.
    """
    check_reference("reason", reason)
    if not reason.strip():
        raise BadInput("reason: say why, for instance the number of the request", field="reason")
    if buyer_id.casefold() in reason.casefold():
        raise BadInput("reason: it is kept for ever and must not name the buyer", field="reason")
    return mask(reason.strip())
