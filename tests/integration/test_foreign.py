"""Checkpoints, tiles and proofs are read by a foreign implementation of the same formats: the Go team's sumdb.

It is run where Go and the package golang.org/x/mod are installed, as by Debian's golang-go and
golang-golang-x-mod-dev; elsewhere these tests are skipped.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from refundflow.proof.folder import Folder
from tests.support.market import CHEN, LI, WU, Market

PROGRAM = Path(__file__).parents[1] / "foreign" / "sumdb.go"
GOPATH = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program that checks with golang.org/x/mod/sumdb."""
    go = shutil.which("go")
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Go with golang.org/x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    own = {"GOPATH": str(GOPATH), "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    built = folder / "sumdb"
    subprocess.run([go, "build", "-o", str(built), str(PROGRAM)], env={**os.environ, **own}, check=True, timeout=300)
    return built


@pytest.mark.slow
def test_a_foreign_implementation_agrees(sumdb: Path, market: Market, tmp_path: Path) -> None:
    """It opens the checkpoint, finds root and proofs in the tiles, and accepts ours; a changed one it refuses."""
    refunds = market.refunds
    refunds.signing_key, refunds.place = tmp_path / "log.key", Folder(tmp_path / "log")
    key = refunds.key_create(actor=CHEN, origin="shop.example/refunds", at=market.at)
    refund = market.to("paid_out.settled")
    first = refunds.checkpoint(at=market.at)
    for number in range(270):
        market.act(refund, "note", LI, message=str(number))
    refunds.checkpoint(at=market.at)
    inclusion, consistency = tmp_path / "proof.json", tmp_path / "consistency.json"
    proof = refunds.prove(refund, actor=WU, at=market.at)
    inclusion.write_text(json.dumps(proof), encoding="utf-8")
    consistency.write_text(json.dumps(refunds.consistency(first.size)), encoding="utf-8")

    def run() -> subprocess.CompletedProcess[str]:
        command = [str(sumdb), str(tmp_path / "log"), key.vkey, str(inclusion), str(consistency)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    accepted = run()
    assert accepted.returncode == 0, accepted.stderr
    assert f"{len(market.history(refund))} entries, {first.size} in" in accepted.stdout
    proof["entries"][0]["hash"] = "0" * 64
    inclusion.write_text(json.dumps(proof), encoding="utf-8")
    assert run().returncode != 0
