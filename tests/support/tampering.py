"""Attacks on an export, each tried in every place; `python -m tests.support.tampering` writes the table of results.

An outsider can change files; an insider has the operator's key too, and can make everything anew.
"""

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from refundflow import verifier
from tests.support.market import BUYER, LI, SHOP, Market, prepare_rehearsal
from tests.support.packages import Log, Signer, log_of

Json = Any
Lines = list[str]
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "tampering-export.md"
OUTSIDER, INSIDER = "outsider", "insider with the key"


@dataclass
class Outcome:
    """How often an attack was tried, and by what it was found, with and without an earlier checkpoint."""

    who: str
    tries: int = 0
    alone: int = 0
    held: int = 0
    codes: Counter[str] = field(default_factory=Counter)


def story() -> Log:
    """Live through a little market: a refund that is paid, one that is appealed, one that is withdrawn."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/market.db"
        prepare_rehearsal(url)
        market = Market(url)
        market.to("paid_out.settled", amount=10_000)
        market.to("appealed")
        withdrawn = market.to("submitted", actor=SHOP)
        market.act(withdrawn, "note", LI, message="Called the buyer.")
        market.act(withdrawn, "withdraw", BUYER)
        log = log_of(market.refunds)
        market.close()
    return log


def lines_of(log: Log) -> Lines:
    """Return the rows as the file has them."""
    return [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in log.rows]


def other(value: Json) -> Json:
    """Return another value of the same kind."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    return [*value, {"name": "x"}] if isinstance(value, list) else {"x": 1} if value is None else {**value, "x": 1}


def columns_changed(log: Log) -> Iterator[Lines]:
    """Change each column of each row by itself."""
    for place, row in enumerate(log.rows):
        for column, value in row.items():
            lines = lines_of(log)
            lines[place] = json.dumps({**row, column: other(value)}, ensure_ascii=False, separators=(",", ":"))
            yield lines


def rows_deleted(log: Log) -> Iterator[Lines]:
    """Delete each row."""
    for place in range(len(log.rows)):
        lines = lines_of(log)
        del lines[place]
        yield lines


def rows_inserted(log: Log) -> Iterator[Lines]:
    """Insert each row once more, at the end."""
    for place in range(len(log.rows)):
        lines = lines_of(log)
        yield [*lines, lines[place]]


def rows_swapped(log: Log) -> Iterator[Lines]:
    """Swap each row with the one behind it."""
    for place in range(len(log.rows) - 1):
        lines = lines_of(log)
        lines[place], lines[place + 1] = lines[place + 1], lines[place]
        yield lines


def tails_cut(log: Log) -> Iterator[Lines]:
    """Cut the tail off, at each length."""
    for length in range(len(log.rows)):
        yield lines_of(log)[:length]


def refunds_deleted(log: Log) -> Iterator[Lines]:
    """Delete each chain."""
    for subject in sorted({row["subject"] for row in log.rows}):
        yield [line for line, row in zip(lines_of(log), log.rows, strict=True) if row["subject"] != subject]


EDITS: Mapping[str, Callable[[Log], Iterator[Lines]]] = {
    "one column of one row changed": columns_changed,
    "one row deleted": rows_deleted,
    "one row inserted": rows_inserted,
    "two rows swapped": rows_swapped,
    "the tail cut off": tails_cut,
    "a whole chain deleted": refunds_deleted,
}


def bodies_rewritten(log: Log) -> Iterator[Log]:
    """Say something else in each entry that no rule judges, and make the whole history anew."""
    for row in log.rows:
        forged = copy.deepcopy(log)
        yield forged.change(row["subject"], row["seq"], lambda body: body.update(correlation="forged")).sealed()


def tails_rewritten(log: Log) -> Iterator[Log]:
    """Forget everything behind each place, and sign what is left."""
    for length in range(len(log.rows)):
        forged = copy.deepcopy(log)
        forged.rows = forged.rows[:length]
        yield forged.sealed()


def refunds_forgotten(log: Log) -> Iterator[Log]:
    """Forget a refund with its order line, and make everything anew."""
    for number in (1, 2, 3):
        forged = copy.deepcopy(log)
        forged.rows = [row for row in forged.rows if not row["subject"].startswith(f"A{number}")]
        yield forged.sealed()


def refunds_invented(log: Log) -> Iterator[Log]:
    """Invent an order line in front of everything, and make everything anew."""
    forged = copy.deepcopy(log)
    row = copy.deepcopy(next(row for row in forged.rows if row["event"] == "registered"))
    text = row["body"].replace('"A1/1"', '"A9/1"').replace('"A1"', '"A9"')
    forged.rows = [{**row, "order_id": "A9", "body": text}, *forged.rows]
    yield forged.sealed()


FORGERIES: Mapping[str, Callable[[Log], Iterator[Log]]] = {
    "one entry rewritten, every hash and signature made anew": bodies_rewritten,
    "the end forgotten, or an old database put back, and signed": tails_rewritten,
    "a refund with its order line forgotten, everything made anew": refunds_forgotten,
    "an order line invented, everything made anew": refunds_invented,
}


def run() -> dict[str, Outcome]:
    """Try every attack in every place; the auditor holds a checkpoint from before the attack."""
    log, results = story(), dict[str, Outcome]()
    held = {"held": log.checkpoint()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.jsonl"
        for name, edit in EDITS.items():
            for who in (OUTSIDER, INSIDER):
                for lines in edit(log):
                    _write(log, path, lines, resign=who == INSIDER)
                    _judge(results, name, who, path, log, held)
        for name, forge in FORGERIES.items():
            for forged in forge(log):
                forged.write(path)
                _judge(results, name, INSIDER, path, log, held)
        for name, write in _notes(log).items():
            write(path)
            _judge(results, name, OUTSIDER, path, log, held)
    return results


def _write(log: Log, path: Path, lines: Lines, *, resign: bool) -> None:
    """Write edited lines under the true manifest, or under one that is signed for the edited file."""
    content = "".join(line + "\n" for line in lines).encode()
    told = {"path": path.name, "format": "jsonl", "sha256": sha256(content).hexdigest(), "size": len(content)}
    changes: dict[str, Any] = {"files": [{**told, "rows": len(lines)}]} if resign else {}
    log.write(path, edit=lambda _: lines, **changes)


def _notes(log: Log) -> Mapping[str, Callable[[Path], Path]]:
    stranger = Signer(seed=b"x" * 32)
    note = log.checkpoint(len(log.rows) - 3)

    def by_a_stranger(path: Path) -> Path:
        forged = copy.deepcopy(log)
        forged.signer = stranger
        return forged.write(path)

    def edited(path: Path) -> Path:
        log.write(path)
        manifest = path.with_name(path.name + ".manifest")
        manifest.write_text(manifest.read_text("utf-8").replace('"whole":true', '"whole":false'), "utf-8")
        return path

    return {
        "the checkpoint replaced by an older one": lambda path: log.write(path, checkpoint=note),
        "the checkpoint replaced by one that a stranger signed": by_a_stranger,
        "the manifest changed": edited,
    }


def _judge(results: dict[str, Outcome], name: str, who: str, path: Path, log: Log, held: Mapping[str, str]) -> None:
    outcome = results.setdefault(f"{name} | {who}", Outcome(who))
    alone = verifier.verify(path, [log.signer.vkey]).findings
    with_note = verifier.verify(path, [log.signer.vkey], held).findings
    outcome.tries += 1
    outcome.alone += bool(alone)
    outcome.held += bool(with_note)
    outcome.codes.update({finding.code for finding in with_note})


def table(results: Mapping[str, Outcome]) -> str:
    """Write the document."""
    rows = [
        f"| {name.partition(' | ')[0]} | {item.who} | {item.tries} | {item.alone} | {item.held} | "
        f"{', '.join(f'`{code}`' for code, _ in sorted(item.codes.items(), key=lambda kv: (-kv[1], kv[0]))[:4])} |"
        for name, item in results.items()
    ]
    return "\n".join([*_HEAD, *rows, *_TAIL]) + "\n"


_HEAD = """\
# Attacks on an export, and what finds them

Generated by `python -m tests.support.tampering`; a test runs every attack and compares.

A small true log is exported. Each attack is tried in every place. It is judged by the offline verifier twice: with the
public key alone, and with one checkpoint that the auditor kept from before the attack. An outsider can change every
file, and has no key. An insider has the operator's key: he can make hashes, tree and signatures anew.

| attack | by | tries | found by the key alone | found with an earlier checkpoint | first findings |
| --- | --- | ---: | ---: | ---: | --- |""".splitlines()
_MORE = (
    (
        "an insider rewrites what no checkpoint outside covers yet, and breaks no rule",
        "nobody has seen another history",
        "whoever gets a checkpoint within the cadence (60 s or 1,000 entries): a folder outside, an auditor",
    ),
    ("an act that was never recorded", "nothing is there to be judged", "the buyer, the channel's bill, the shop"),
    (
        "a free text replaced in the database",
        "an export holds only commitments",
        "`refundflow audit verify` on the database, while the key of the buyer exists",
    ),
    (
        "who acted under another's name",
        "an entry holds the name that was given",
        "authentication in front of the service, and its logs",
    ),
    (
        "the clock of the operator runs wrong",
        "all times are his",
        "the channel's times (`occurred_at`), and the moments at which checkpoints were published",
    ),
    (
        "of a filtered export, that a chain goes on behind its last entry",
        "leaves that are left out are hashes only",
        "a whole export",
    ),
)
_TAIL = [
    "",
    "Whole histories that break a rule are found without a checkpoint, whoever signed them:",
    "`tests/integration/test_offline_verifier.py` forges one for each rule, and the verifier names the rule.",
    "",
    "What needs more than this:",
    "",
    "| what | why it is not found | who could find it |",
    "| --- | --- | --- |",
    *(f"| {what} | {why} | {who} |" for what, why, who in _MORE),
]


if __name__ == "__main__":
    DOCUMENT.write_text(table(run()), encoding="utf-8")
