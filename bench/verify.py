"""Measure how fast the offline verifier hashes: `python -m bench.verify`.

Stored bytes are hashed as they stand, into their chain and into the tree, against a loop that does nothing but SHA-256
over the same bytes, in turn, in the same run; the best of each counts. Then a whole verification: all rules judged.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from refundflow import verifier
from refundflow.demo import CHANNELS, play
from refundflow.gateways import FakeChannel
from refundflow.service import Refunds

LEAST = 0.35  # of the rate of the bare loop
Entry = tuple[bytes, str, str]  # body, chain, hash of the entry before


def main() -> None:
    """Measure, and print both rates and their ratio; exit status 1 when it is too low."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000, help="entries hashed per round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, each of both ways (default %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = exported(Path(folder))
        told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        whole = _seconds(lambda: verifier.verify(path)) / len(told)
    entries = [(row["body"].encode(), row["subject"], row["prev"]) for row in told]
    entries *= max(1, given.entries // len(entries))
    bare, bound = [], []
    for _ in range(given.rounds):
        bare.append(_seconds(lambda: _bare(entries)))
        bound.append(_seconds(lambda: _bound(entries)))
    _tell(entries, min(bare), min(bound), whole)


def exported(folder: Path) -> Path:
    """Play the demo in a folder and export it as JSON Lines; return the file."""
    url, path = f"sqlite:///{folder}/demo.db", folder / "entries.jsonl"
    Refunds.init(url, rehearsal=True)
    with Refunds.connect(url) as refunds:
        play(refunds, {name: FakeChannel(name) for name in CHANNELS})
        refunds.export(format="jsonl", output=str(path), actor="auditor:bai")
    return path


def _bare(entries: Sequence[Entry]) -> None:
    for body, _, _ in entries:
        sha256(body).digest()


def _bound(entries: Sequence[Entry]) -> None:
    tree, heads = verifier.Tree(), dict[str, str]()
    for body, subject, previous in entries:
        verifier.bind(body, subject, previous, heads, tree)
    tree.root()


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _tell(entries: Sequence[Entry], bare: float, bound: float, whole: float) -> None:
    size = sum(len(body) for body, _, _ in entries)
    print(f"{len(entries)} entries, {size // len(entries)} bytes each; load {os.getloadavg()[0]:.1f}")
    for name, seconds in (("bare SHA-256 loop", bare), ("chain and tree", bound)):
        print(f"{name:<18} {len(entries) / seconds:>10,.0f} entries/s {size / seconds / 1e6:>8,.0f} MB/s")
    print(f"{'ratio':<18} {bare / bound:>10.2f} (at least {LEAST})")
    print(f"{'all rules judged':<18} {1 / whole:>10,.0f} entries/s")
    if bare / bound < LEAST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
