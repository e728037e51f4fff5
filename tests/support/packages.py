"""Export packages for the offline verifier, made of a real database: files, tree, checkpoint, signed manifest.

The rows are the real export's; the rest is written anew, so that a test can forge any part and sign it rightly.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from refundflow.export.rows import LEDGER
from refundflow.service import Refunds
from states import clocks
from states.refund_v1 import TABLE

Json = Any
ORIGIN = "refundflow.example/shop"
ZEROS = "0" * 64


class Signer:
    """A key of the operator, in the form of signed notes."""

    def __init__(self, name: str = ORIGIN, seed: bytes = b"k" * 32) -> None:
        self.name, self._key = name, Ed25519PrivateKey.from_private_bytes(seed)
        public = b"\x01" + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._mark = sha256(name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{name}+{self._mark.hex()}+{base64.b64encode(public).decode()}"

    def note(self, text: str) -> str:
        """Sign a text that ends with a line feed."""
        signature = base64.b64encode(self._mark + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a Merkle tree over leaf data, written as RFC 9162 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    left = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + root_of(leaves[:left]) + root_of(leaves[left:])).digest()


def pruned(leaves: Sequence[bytes], wanted: set[int]) -> list[list[Json]]:
    """Return the greatest subtrees without a wanted leaf, from the left."""
    found: list[list[Json]] = []

    def walk(level: int, index: int) -> None:
        start, end = index << level, min((index + 1) << level, len(leaves))
        if start >= end:
            return
        if not any(leaf in wanted for leaf in range(start, end)):
            found.append([level, index, root_of(leaves[start:end]).hex()])
        elif level:
            walk(level - 1, 2 * index)
            walk(level - 1, 2 * index + 1)

    walk(max(len(leaves) - 1, 0).bit_length(), 0)
    return found


def canonical(value: Json) -> str:
    """Write canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def chart() -> dict[str, Json]:
    """Return the chart as a manifest carries it."""
    rows = [
        {"event": row.event, "from": row.source, "to": row.target, "guards": list(row.guards)} for row in TABLE.rows
    ]
    return {
        "version": "refund/1", "initial": TABLE.initial, "final": sorted(TABLE.final), "rows": rows,
        "standing": clocks.STANDING, "events": clocks.EVENTS,
    }  # fmt: skip


@dataclass
class Log:
    """What a database would export: rows in log order, with policies and calendars."""

    rows: list[dict[str, Json]]
    policies: dict[str, str]
    calendars: list[dict[str, Json]]
    rehearsal: bool = True
    signer: Signer = field(default_factory=Signer)

    @property
    def leaves(self) -> list[bytes]:
        """Return the leaf data of the tree."""
        return [sha256(row["body"].encode()).digest() for row in self.rows]

    def checkpoint(self, size: int | None = None) -> str:
        """Sign the head of the log as it is, or was at a size."""
        size = len(self.rows) if size is None else size
        root = base64.b64encode(root_of(self.leaves[:size])).decode()
        return self.signer.note(f"{self.signer.name}\n{size}\n{root}\n")

    def sealed(self) -> "Log":
        """Number, chain and hash everything anew: a whole history forged consistently."""
        heads: dict[str, str] = {}
        seqs: dict[str, int] = {}
        for leaf, row in enumerate(self.rows):
            body = json.loads(row["body"])
            subject = body["subject"]
            body["seq"] = seqs[subject] = seqs.get(subject, 0) + 1
            body["prev"] = heads.get(subject, ZEROS)
            text = canonical(body)
            heads[subject] = sha256(text.encode()).hexdigest()
            row |= columns(body) | {"body": text, "hash": heads[subject], "leaf": leaf}
        self._tell_deadlines()
        return self

    def _tell_deadlines(self) -> None:
        standing: dict[str, dict[str, dict[str, Json]]] = {}
        for row in self.rows:
            patch = json.loads(row["body"])["patch"].get("deadlines") or {}
            of = standing.setdefault(row["subject"], {})
            for name, item in patch.items():
                if item is None:
                    of.pop(name, None)
                else:
                    merged = {**of.get(name, {}), **item}
                    of[name] = {key: value for key, value in merged.items() if value is not None}
            row["deadlines"] = [
                {"name": name, "due_at": of[name]["due_at"], "rule": of[name]["rule"],
                 "provisional": of[name].get("provisional", False)}
                for name, item in patch.items() if item is not None
            ]  # fmt: skip

    def change(self, subject: str, seq: int, change: Callable[[dict[str, Json]], None]) -> "Log":
        """Change one body, and repeat it in its row; `sealed` makes the rest fit."""
        for row in self.rows:
            body = json.loads(row["body"])
            if (body["subject"], body["seq"]) == (subject, seq):
                change(body)
                row["body"] = canonical(body)
        return self

    def write(
        self, path: Path, *, wanted: Iterable[int] | None = None, edit: Callable[[list[str]], list[str]] | None = None,
        **changes: Json,
    ) -> Path:  # fmt: skip
        """Write the file of JSON Lines and its manifest beside it; `edit` changes lines after they were signed for."""
        leaves = self.leaves
        some = set(range(len(leaves)) if wanted is None else wanted)
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in self.rows if row["leaf"] in some]
        content = "".join(line + "\n" for line in lines).encode()
        manifest: dict[str, Json] = {
            "format": "refundflow-export/1", "origin": self.signer.name, "made_at": "2026-11-26T15:00:00.000000Z",
            "by": "auditor:sun", "filters": {}, "whole": wanted is None, "as_of": None,
            "tree": {"size": len(leaves), "root": base64.b64encode(root_of(leaves)).decode()},
            "checkpoint": self.checkpoint(), "keys": [], "entries": len(lines),
            "first_leaf": min(some, default=None), "last_leaf": max(some, default=None),
            "files": [{"path": path.name, "format": "jsonl", "sha256": sha256(content).hexdigest(),
                       "size": len(content), "rows": len(lines)}],
            "pruned": pruned(leaves, some) if wanted is not None else [],
            "charts": {"refund/1": chart()}, "policies": self.policies, "calendars": self.calendars,
            "rehearsal": self.rehearsal,
        } | changes  # fmt: skip
        if edit is not None:
            content = "".join(line + "\n" for line in edit(lines)).encode()
        path.write_bytes(content)
        path.with_name(path.name + ".manifest").write_text(self.signer.note(canonical(manifest) + "\n"), "utf-8")
        return path


def columns(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return the columns of a row that repeat its body."""
    names = (
        "subject", "seq", "kind", "event", "from", "to", "effective_at", "recorded_at", "params", "texts", "policy",
        "chart", "calendar", "prev",
    )  # fmt: skip
    optional = ("occurred_at", "key", "request", "correlation", "cause")
    return {
        **{name: body[name] for name in names}, **{name: body.get(name) for name in optional},
        "actor_role": body["actor"]["role"], "actor_name": body["actor"]["name"],
        "reason": body["params"].get("reason"), "blockers": body.get("blockers", []), "repeats": body.get("repeats", 0),
        **{name: body["ledger"].get(name, 0) for name in LEDGER},
    }  # fmt: skip


def log_of(refunds: Refunds, signer: Signer | None = None) -> Log:
    """Read the log of an open database as it exports it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "entries.jsonl"
        refunds.export(format="jsonl", output=str(path), actor="auditor:wu")
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        note = path.with_name("entries.jsonl.manifest").read_text(encoding="utf-8")
    told = json.loads(note.partition("\n")[0])
    return Log(rows, told["policies"], told["calendars"], told["rehearsal"], signer or Signer())
