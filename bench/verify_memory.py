"""Measure what memory the offline verifier takes: `python -m bench.verify_memory --entries 1000000`.

The export is that of the demo, each entry of an order written many times in a row under other order ids, so that
chains lie among each other as in life; payout numbers, hashes and the tree follow, and nothing is wrong in it.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from bench.memory import most_memory
from refundflow import verifier

NAME = re.compile(r"\b(A1\d{3})\b|\brf[0-9a-f]{30}\b")  # an order id of the demo, or a payout number
PREVIOUS = re.compile(r'"prev":"([0-9a-f]{64})"')
MOST = 9  # approvals of a refund, and attempts to pay it


def main() -> None:
    """Measure, and print entries, findings, seconds and MiB."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify_memory", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000, help="at least so many (default %(default)s)")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        begun = time.perf_counter()
        report = verifier.verify(given.one)
        told = f"{report.facts['entries']:,} entries, {len(report.findings)} findings"
        print(f"{told}, {time.perf_counter() - begun:.0f} s, {most_memory():.0f} MiB")
        return
    from bench.verify import exported  # not in the process that is measured

    with tempfile.TemporaryDirectory() as folder:
        path = exported(Path(folder))
        multiply(path, given.entries)
        subprocess.run([sys.executable, "-m", "bench.verify_memory", "--one", str(path)], check=True)


def multiply(path: Path, least: int) -> None:
    """Write an export anew with at least so many entries."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    # What two persons confirm is named by a hash, which would not follow.
    left_out = {row["order_id"] for row in rows if '"terms":' in row["body"]}
    rows = [row for row in rows if row["order_id"] not in left_out]
    copies = -(-least // sum(bool(row["order_id"]) for row in rows))
    tree, heads = verifier.Tree(), dict[str, str]()
    with path.open("w", encoding="utf-8") as file:
        for leaf, row in enumerate(_copied(rows, copies)):
            body = row["body"].encode()
            verifier.bind(body, row["subject"], row["prev"], heads, tree)
            written = {**row, "leaf": leaf, "hash": sha256(body).hexdigest()}
            file.write(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n")
    beside = path.with_name(f"{path.name}.manifest")
    manifest = json.loads(beside.read_text(encoding="utf-8"))
    with path.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    about = {"sha256": digest, "size": path.stat().st_size, "rows": leaf + 1}
    manifest["files"] = [{**manifest["files"][0], **about}]
    manifest |= {"entries": leaf + 1, "first_leaf": 0, "last_leaf": leaf}
    manifest["tree"] = {"size": leaf + 1, "root": tree.root()}
    beside.write_text(json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


def _copied(rows: list[dict[str, Any]], copies: int) -> Iterator[dict[str, Any]]:
    """Yield every row of a register as it is, of an order once for each copy."""
    numbers = {
        _number(row["subject"], approvals, attempt): (row["subject"], approvals, attempt)
        for row in rows for approvals in range(MOST) for attempt in range(MOST)
    }  # fmt: skip
    heads: dict[tuple[str, int], str] = {}
    for row in rows:
        if not row["order_id"]:
            yield row
            continue
        body, text = row["body"], json.dumps({**row, "body": ""})
        for copy in range(copies):

            def name(found: re.Match[str], copy: int = copy) -> str:
                if found[1]:
                    return f"{found[1]}x{copy}"
                subject, approvals, attempt = numbers[found[0]]
                return _number(NAME.sub(rf"\1x{copy}", subject), approvals, attempt)

            place = row["subject"], copy
            previous = heads.get(place, verifier.ZEROS)
            renamed = PREVIOUS.sub(f'"prev":"{previous}"', NAME.sub(name, body))
            heads[place] = sha256(renamed.encode()).hexdigest()
            yield {**json.loads(NAME.sub(name, text)), "prev": previous, "body": renamed}


def _number(refund: str, approvals: int, attempt: int) -> str:
    return "rf" + sha256(f"{refund}|{approvals}|{attempt}".encode()).hexdigest()[:30]


if __name__ == "__main__":
    main()
