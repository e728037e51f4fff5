"""The attacks: every single-row change of every column, and those that take more than one statement."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary
from sqlmodel import SQLModel

from refundflow import audit, tables
from refundflow.proof import Head, merkle, read_key
from refundflow.proof.notes import SigningKey, sign_note
from refundflow.proof.tiles import growth
from refundflow.store import LogEnd, canonical
from refundflow.store.log import _columns
from tests.tamper.scene import TARGET, Forger

# Every table that an audit rests on, with the row that is attacked.
ROWS: Mapping[type[SQLModel], str] = {
    tables.Transition: f"subject = '{TARGET}' AND seq = 3",
    tables.Refund: f"id = '{TARGET}'",
    tables.OrderLine: "order_id = 'A2'",
    tables.Payout: "order_id = 'A2'",
    tables.Staff: "name = 'li'",
    tables.PolicyText: "1 = 1",
    tables.CalendarText: "ordinal = 2",
    tables.Buyer: "1 = 1",
    tables.Personal: "field = 'note'",
    tables.EvidenceContent: "1 = 1",
    tables.TilePiece: "level = 0 AND start = (SELECT min(start) FROM tiles WHERE start > 0)",
    tables.CheckpointRow: "number = 2",
}


@dataclass(frozen=True)
class Attack:
    """One attack: what it does in words, and the doing."""

    group: str
    name: str
    run: Callable[[Forger], None]


def attacks() -> Iterator[Attack]:
    """Yield every attack."""
    for model in ROWS:
        for column in tables.table_of(model).c:
            yield Attack("a changed value", f"`{column.table.name}.{column.name}`", _changing(column, ROWS[model]))
    for model, where in ROWS.items():
        name = tables.table_of(model).name
        yield Attack("a deleted row", f"`{name}`", _running(f"DELETE FROM {name} WHERE {where}"))
        yield Attack("an inserted row", f"`{name}`", _inserting(model, where))
    yield from (Attack("the history", name, run) for name, run in HISTORY.items())


def _running(*statements: str) -> Callable[[Forger], None]:
    def run(forger: Forger) -> None:
        for statement in statements:
            forger.run(statement)

    return run


def _changing(column: Column[Any], where: str) -> Callable[[Forger], None]:
    def run(forger: Forger) -> None:
        table, name = column.table.name, column.name
        if name == "gid":
            _free_numbers(forger)
        [[old]] = forger.rows(f"SELECT {name} FROM {table} WHERE {where} LIMIT 1")
        forger.run(f"UPDATE {table} SET {name} = :new WHERE {where}", new=_another(forger, column, old))

    return run


def _another(forger: Forger, column: Column[Any], old: Any) -> Any:
    """Return another value of a column's type."""
    kind: Any = column.type
    if isinstance(kind, tables.Moment):
        known = "2026-03-02T03:00:00.000001Z"
        return known if str(old) != known else None
    if isinstance(kind, Boolean):
        return not old if forger.dialect == "postgresql" else int(not old)
    if isinstance(kind, LargeBinary):
        return bytes([bytes(old)[0] ^ 1]) + bytes(old)[1:] if old is not None else b"x"
    if isinstance(kind, BigInteger | Integer):
        return (old or 0) + 1_000 if column.name in ("gid", "seq", "number", "first_gid", "ordinal") else (old or 0) + 1
    return f"{old}x" if old is not None else "x"


def _inserting(model: type[SQLModel], where: str) -> Callable[[Forger], None]:
    """Copy a row under another key."""
    table = tables.table_of(model)
    changed = {
        tables.Transition: {"seq": "seq + 100"},
        tables.TilePiece: {"number": "number + 1"},
        tables.CheckpointRow: {"number": "number + 100"},
        tables.CalendarText: {"ordinal": "ordinal + 1"},
        tables.Refund: {"id": "'A2-1-9'"},
        tables.OrderLine: {"line": "'9'"},
        tables.Payout: {"number": "'rf9'"},
        tables.Personal: {"field": "'other'"},
        tables.EvidenceContent: {"digest": "'other'"},
        tables.Staff: {"name": "'eve'"},
        tables.PolicyText: {"version": "'other'"},
        tables.Buyer: {"ref": "'bother'", "lookup": "'other'"},
    }[model]
    names = [column.name for column in table.c if not (model is tables.Transition and column.name in ("gid", "key"))]
    chosen = ", ".join(changed.get(name, name) for name in names)
    return _running(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {chosen} FROM {table.name} WHERE {where}")


# ------------------------------------------------------------------ the history as a whole


def swapped(forger: Forger) -> None:
    """Let two entries of two chains change places in the log."""
    [[one]] = forger.rows(f"SELECT gid FROM transitions WHERE subject = '{TARGET}' AND seq = 2")
    [[two]] = forger.rows("SELECT gid FROM transitions WHERE subject = 'A2/1' AND seq = 1")
    for gid, new in ((one, -1), (two, one), (-1, two)):
        _renumber(forger, gid, new)


def swapped_in_chain(forger: Forger) -> None:
    """Let two entries of one chain change places, numbers and all."""
    for seq, new in ((2, 1_000), (3, 2), (1_000, 3)):
        forger.run(
            "UPDATE transitions SET seq = :new WHERE subject = :chain AND seq = :seq", new=new, chain=TARGET, seq=seq
        )


def _renumber(forger: Forger, gid: int, new: int) -> None:
    _free_numbers(forger)
    forger.run("UPDATE transitions SET gid = :new WHERE gid = :gid", new=new, gid=gid)


def _free_numbers(forger: Forger) -> None:
    """Let numbers of entries be written, which PostgreSQL gives by itself."""
    if forger.dialect == "postgresql":
        forger.run("ALTER TABLE transitions ALTER COLUMN gid DROP IDENTITY IF EXISTS")


def without_tail(forger: Forger) -> None:
    """Cut the end off: entries, leaves and checkpoints; the rows keep what they were."""
    size = _size_of(forger, 2)
    [gid] = [row[0] for row in forger.rows("SELECT gid FROM transitions ORDER BY gid")][size - 1 : size]
    forger.run("DELETE FROM transitions WHERE gid > :gid", gid=gid)
    forger.run("DELETE FROM checkpoints WHERE number > 2")
    _rebuild(forger, size)


def without_refund(forger: Forger) -> None:
    """Delete a refund with all that belongs to it, its line too."""
    for table in ("transitions", "payouts", "refunds", "order_lines", "personal"):
        forger.run(f"DELETE FROM {table} WHERE order_id = 'A2'")
    forger.run("DELETE FROM evidence_content")


def without_refund_and_leaves(forger: Forger) -> None:
    """Delete a refund, number the log anew, and put heads of the new tree in the place of the signed ones."""
    without_refund(forger)
    _new_log(forger, signed_by=None)


def rewritten(forger: Forger) -> None:
    """Let another person have decided: body, columns and every hash behind it, and the head of the row."""
    _rewrite(forger)


def rewritten_with_log(forger: Forger) -> None:
    """The same, and a new tree with heads that nobody has signed."""
    _rewrite(forger)
    _new_log(forger, signed_by=None)


def rewritten_and_signed(forger: Forger) -> None:
    """The same, signed with the stolen key."""
    _rewrite(forger)
    _new_log(forger, signed_by=_stolen(forger))


def rewritten_with_own_key(forger: Forger) -> None:
    """The same, signed with a key of his own that he registers in the place of the true one."""
    own = SigningKey("shop.example/refunds", b"e" * 32)
    [[body]] = forger.rows("SELECT body FROM transitions WHERE subject = 'keys' AND seq = 1")
    told = json.loads(bytes(body))
    told["params"] = {"key": own.verifying.id, "vkey": str(own.verifying)}
    [item] = told["patch"].values()
    told["patch"] = {own.verifying.id: item | {"vkey": str(own.verifying)}}
    _put(forger, "keys", 1, told)
    _rewrite(forger)
    _new_log(forger, signed_by=own)


def changed_key(forger: Forger) -> None:
    """Put another key in the place of the registered one, and leave the rest as it is."""
    other = SigningKey("shop.example/refunds", b"o" * 32)
    [[body]] = forger.rows("SELECT body FROM transitions WHERE subject = 'keys' AND seq = 1")
    told = json.loads(bytes(body))
    [item] = told["patch"].values()
    _put(forger, "keys", 1, told | {"patch": {other.verifying.id: item | {"vkey": str(other.verifying)}}})


def spoilt_key(forger: Forger) -> None:
    """Write rubbish in the place of the registered key."""
    [[body]] = forger.rows("SELECT body FROM transitions WHERE subject = 'keys' AND seq = 1")
    told = json.loads(bytes(body))
    [(name, item)] = told["patch"].items()
    _put(forger, "keys", 1, told | {"patch": {name: item | {"vkey": "rubbish"}}})


def replaced_checkpoint(forger: Forger) -> None:
    """Put a checkpoint signed by another key of the same name in the place of a true one."""
    other = SigningKey("shop.example/refunds", b"o" * 32)
    [[note]] = forger.rows("SELECT note FROM checkpoints WHERE number = 2")
    signed = sign_note(note.partition("\n\n")[0] + "\n", other)
    forger.run("UPDATE checkpoints SET note = :note WHERE number = 2", note=signed)


def earlier_checkpoint(forger: Forger) -> None:
    """Put the first checkpoint, which is truly signed, in the place of the second."""
    forger.run(
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE number = 1), size = "
        "(SELECT size FROM checkpoints WHERE number = 1), root = (SELECT root FROM checkpoints WHERE number = 1) "
        "WHERE number = 2"
    )


def without_checkpoint(forger: Forger) -> None:
    """Delete a checkpoint and close the gap in the numbers."""
    forger.run("DELETE FROM checkpoints WHERE number = 2")
    forger.run("UPDATE checkpoints SET number = 2 WHERE number = 3")


def back_dated(forger: Forger) -> None:
    """Append an entry that says it was recorded before the last checkpoint; everything else is in order."""
    [[body]] = forger.rows(f"SELECT body FROM transitions WHERE subject = '{TARGET}' ORDER BY seq DESC LIMIT 1")
    told = json.loads(bytes(body))
    told["recorded_at"] = told["effective_at"] = "2026-03-02T04:30:00.000000Z"
    _put(forger, TARGET, told["seq"], told, moments=True)
    _head(forger)


def cut_to_checkpoint(forger: Forger) -> None:
    """Cut off what came after the newest checkpoint that anybody outside has, rows and all: nothing contradicts it."""
    forger.run(
        f"DELETE FROM personal WHERE subject = '{TARGET}' AND seq = (SELECT max(seq) FROM transitions "
        f"WHERE subject = '{TARGET}')"
    )
    [[seq]] = forger.rows(f"SELECT max(seq) FROM transitions WHERE subject = '{TARGET}'")
    forger.run(f"DELETE FROM transitions WHERE subject = '{TARGET}' AND seq = :seq", seq=seq)
    _head(forger)


HISTORY: Mapping[str, Callable[[Forger], None]] = {
    "two entries of two chains swapped in the log": swapped,
    "two entries of one chain swapped": swapped_in_chain,
    "the end cut off, with its leaves and checkpoints": without_tail,
    "the entries behind the newest checkpoint cut off, with their rows": cut_to_checkpoint,
    "a refund deleted with its order line": without_refund,
    "a refund deleted, the log numbered anew, heads unsigned": without_refund_and_leaves,
    "an entry rewritten, the hashes behind it recomputed": rewritten,
    "an entry rewritten, a new tree, heads unsigned": rewritten_with_log,
    "an entry rewritten, a new tree, heads signed with the stolen key": rewritten_and_signed,
    "an entry rewritten, a new tree, a key of his own registered and used": rewritten_with_own_key,
    "the registered key replaced by another": changed_key,
    "the registered key spoilt": spoilt_key,
    "a checkpoint replaced by one of another key": replaced_checkpoint,
    "a checkpoint replaced by an earlier one": earlier_checkpoint,
    "a checkpoint removed, the numbers closed up": without_checkpoint,
    "an entry back-dated before a checkpoint": back_dated,
}


def _rewrite(forger: Forger) -> None:
    """Change who approved, in body and columns, and every hash of the chain from there on."""
    rows = forger.rows("SELECT seq, body FROM transitions WHERE subject = :chain ORDER BY seq", chain=TARGET)
    head = ""
    for seq, body in rows:
        told = json.loads(bytes(body))
        if told["event"] == "approve":
            told["actor"]["name"] = "eve"
            forger.run(
                "UPDATE transitions SET actor_name = 'eve' WHERE subject = :chain AND seq = :seq", chain=TARGET, seq=seq
            )
        if head:
            told["prev"] = head
        head = _put(forger, TARGET, seq, told)
    _head(forger)


def _put(forger: Forger, chain: str, seq: int, told: dict[str, Any], *, moments: bool = False) -> str:
    body = canonical(told)
    hashed = hashlib.sha256(body).hexdigest()
    forger.run(
        "UPDATE transitions SET body = :body, hash = :hash WHERE subject = :chain AND seq = :seq",
        body=body, hash=hashed, chain=chain, seq=seq,
    )  # fmt: skip
    if moments:
        forger.run(
            "UPDATE transitions SET recorded_at = :at, effective_at = :at WHERE subject = :chain AND seq = :seq",
            at=told["recorded_at"], chain=chain, seq=seq,
        )  # fmt: skip
    return hashed


def _head(forger: Forger) -> None:
    """Let the row of the target be what its chain says now."""
    rows = forger.rows("SELECT body, hash FROM transitions WHERE subject = :chain ORDER BY seq", chain=TARGET)
    document, _ = audit.replay(json.loads(bytes(row[0])) for row in rows)
    forger.run(
        "UPDATE refunds SET document = :document, seq = :seq, head = :head WHERE id = :id",
        document=canonical(document).decode(), seq=document["seq"], head=rows[-1][1], id=TARGET,
    )  # fmt: skip


def _size_of(forger: Forger, number: int) -> int:
    [[size]] = forger.rows("SELECT size FROM checkpoints WHERE number = :number", number=number)
    return int(size)


def _stolen(forger: Forger) -> SigningKey:
    """Read the true key, as a thief of its file has it."""
    return read_key(forger.scene.folder / "log.key")


def _rebuild(forger: Forger, size: int) -> list[bytes]:
    """Number the first entries anew as leaves; return their hashes."""
    rows = forger.rows("SELECT gid, body FROM transitions ORDER BY gid")[:size]
    leaves = [(row[0], merkle.leaf_hash(hashlib.sha256(bytes(row[1])).digest())) for row in rows]
    forger.run("DELETE FROM tiles")
    for piece in growth(lambda level, number: b"", LogEnd(0, 0), leaves):
        forger.run(
            "INSERT INTO tiles (level, number, start, hashes, gids, first_gid) "
            "VALUES (:level, :number, :start, :hashes, :gids, :first_gid)",
            **_columns(piece),
        )
    return [hashed for _, hashed in leaves]


def _new_log(forger: Forger, signed_by: SigningKey | None) -> None:
    """Put a tree of the entries as they are in the place of the true one, with heads of the same sizes or less."""
    hashes = _rebuild(forger, _size_of(forger, 3))
    for number in (1, 2, 3):
        size = min(_size_of(forger, number), len(hashes))
        root = merkle.root_of(hashes[:size])
        note = sign_note(Head(signed_by.name, size, root).text, signed_by) if signed_by else None
        forger.run(
            "UPDATE checkpoints SET size = :size, root = :root, note = :note WHERE number = :number",
            size=size, root=root.hex(), note=note, number=number,
        )  # fmt: skip
