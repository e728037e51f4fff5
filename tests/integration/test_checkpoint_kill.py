"""kill -9 of processes that make checkpoints at once: one log, every entry in it once, and all of it published.

REFUNDFLOW_CHECKPOINT_KILLS sets the number of kills per database.
"""

import multiprocessing
import os
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random

import pytest

from refundflow.proof import Log
from refundflow.proof.folder import Folder
from tests.support import mortal_checkpointer
from tests.support.market import CHEN, Market

KILLS = int(os.environ.get("REFUNDFLOW_CHECKPOINT_KILLS", "8"))
PROCESSES = 2


def start(market: Market, refund: str, folder: Path, name: str) -> ForkServerProcess:
    """Start one process that makes checkpoints."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.support.mortal_checkpointer"])
    given = (market.url, str(folder / "log.key"), str(folder / "log"), refund, name)
    process = forks.Process(target=mortal_checkpointer.run, args=given, daemon=True)
    process.start()
    return process


@pytest.mark.slow
def test_one_log_is_left_whoever_is_killed(live: Market, tmp_path: Path) -> None:
    """Two at a time die at random moments; what the last call leaves is whole, sound, and published as it is stored."""
    refunds, moment = live.refunds, Random(11)
    refunds.signing_key = tmp_path / "log.key"
    refunds.key_create(actor=CHEN)
    refund = live.submit().id
    running = [start(live, refund, tmp_path, str(number)) for number in range(PROCESSES)]
    time.sleep(1.5)
    for number in range(KILLS):
        time.sleep(moment.uniform(0.05, 0.3))
        process = running.pop(0)
        assert process.is_alive(), f"it ended by itself: {process.exitcode}"
        process.kill()
        process.join()
        running.append(start(live, refund, tmp_path, f"later {number}"))
    for process in running:
        process.kill()
        process.join()
    refunds.place = Folder(tmp_path / "log")
    made = refunds.checkpoint()

    assert refunds.verify().findings == ()
    with refunds.engine.store.read() as tx:
        log = Log(tx)
        assert [log.leaf_of(entry.gid) for entry in tx.all_entries()] == list(range(made.size))
        stored = list(tx.checkpoints())
    published = {path.name for path in (tmp_path / "log" / "checkpoints").iterdir()}
    assert published == {str(item.size) for item in stored}
    assert not list((tmp_path / "log").rglob(".*"))
    assert (tmp_path / "log" / "checkpoint").read_text(encoding="utf-8") == made.note
    print(f"{KILLS} kills, {len(stored)} checkpoints over {made.size} entries")
