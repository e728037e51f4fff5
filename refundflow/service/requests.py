"""What passes through the engine: a request checked at the door, the act that it becomes, and the answer."""

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import PurePath

from msgspec import Struct

from refundflow.errors import BadInput, NotFound
from refundflow.service import door
from refundflow.service.callers import Caller
from refundflow.store import canonical
from refundflow.values import Attachment
from refundflow.vault import BuyerRow, Vault, mask
from states import times
from states.case import NOTHING, Act, Actor, Aggregate, Json, line_subject, refund_place

_HOW_NAMED = "a refund is named ORDER-LINE-NUMBER, such as A1001-1-1; a line ORDER/LINE, such as A1001/1"
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
    ".mp4": "video/mp4",
}


class Request(Struct, frozen=True):
    """One call of the facade as the engine takes it."""

    event: str
    caller: Caller
    order_id: str
    line: str
    refund: str | None = None
    params: Mapping[str, Json] = NOTHING
    texts: Mapping[str, str] = NOTHING
    files: tuple[Attachment, ...] = ()
    key: str | None = None
    at: datetime | None = None
    correlation: str | None = None
    occurred_at: datetime | None = None

    @property
    def what(self) -> str:
        """Name what is asked for, as the caller knows it."""
        return self.refund or line_subject(self.order_id, self.line)


class Answer(Struct, frozen=True):
    """What a move left: the line and its refunds as they stand, and who may see how much of it."""

    aggregate: Aggregate
    actor: Actor
    owner: BuyerRow | None
    now: datetime
    refund: str | None
    waiting: bool = False
    changed: bool = True


def check(request: Request) -> None:
    """Check at the door what a caller gives; see `door`."""
    if not (door.one_line(request.order_id) and door.one_line(request.line)):
        raise NotFound(request.what)
    if request.occurred_at is not None:
        door.check_moment("occurred_at", request.occurred_at)
    if request.params:
        door.check_params(request.params)
    if request.texts:
        door.check_texts(request.texts)
    if request.files:
        door.check_files(request.files)
    if request.key is not None:
        door.check_reference("key", request.key)
    if request.correlation is not None:
        door.check_reference("correlation", request.correlation)


def place_of(refund_id: str) -> tuple[str, str]:
    """Return (order id, line) of a refund id.

    Raises:
        NotFound: it cannot be one.
    """
    try:
        return refund_place(refund_id)
    except (ValueError, AttributeError) as error:
        raise NotFound(str(refund_id), _HOW_NAMED) from error


def act_of(
    request: Request, what: str, actor: Actor, owner: BuyerRow | None, payment_no: str, vault: Vault
) -> tuple[Act, str | None]:
    """Turn a request for `what` into the act that the rules judge, and name it for idempotency if it has a key."""
    key = owner.key if owner is not None else None
    texts = _masked(request.texts, keep=(request.order_id, what, payment_no)) if request.texts else {}
    params = dict(request.params)
    if (request.files or texts) and key is None:
        raise BadInput("the buyer's data was erased: no text and no file can be added any more", field="evidence")
    if request.files and key is not None:
        params["evidence"] = [_file_params(file, key, vault) for file in request.files]
    act = Act(
        event=request.event,
        actor=actor,
        refund=request.refund,
        params=params,
        texts=texts,
        occurred_at=times.text(request.occurred_at) if request.occurred_at else None,
    )
    if request.key is None:
        return act, None
    asked = {
        "event": act.event,
        "actor": [actor.role, actor.name],
        "target": what,
        "params": params,
        "texts": texts,
    }
    return act, vault.request_hash(key or vault.secret, canonical(asked, told=params))


def _masked(texts: Mapping[str, str], keep: Collection[str]) -> dict[str, str]:
    """Mask the texts that are not empty; `keep` are ids, which may look like codes and stay."""
    return {name: mask(text.strip(), keep=keep) for name, text in texts.items() if text and text.strip()}


def _file_params(file: Attachment, key: bytes, vault: Vault) -> dict[str, Json]:
    media_type = file.media_type or MEDIA_TYPES.get(PurePath(file.filename).suffix.lower(), "application/octet-stream")
    commit = vault.evidence_commitment(key, sha256(file.content).hexdigest())
    return {"kind": file.kind, "commit": commit, "size": len(file.content), "media_type": media_type}
