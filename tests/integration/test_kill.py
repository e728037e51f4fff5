"""kill -9 under load on both databases: nothing acknowledged is lost, nothing half done.

REFUNDFLOW_KILLS sets the number of kills per database.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from refundflow.gateways.fake import FakeChannel
from refundflow.store import Store
from tests.support import busy_host
from tests.support.databases import Databases
from tests.support.market import LI, Market, prepare_live, require_ledger

HOSTS = 3
KILLS = int(os.environ.get("REFUNDFLOW_KILLS", "15"))
PATIENCE = 60.0  # seconds for the first acknowledgement
Acknowledged = tuple[str, str | None, int]


def prepare(url: str) -> None:
    """Make a live database with the orders that all hosts share."""
    prepare_live(url)
    market = Market(url)
    for order in busy_host.SHARED:
        market.order(order, amount_minor=busy_host.AMOUNT)
    market.close()


def killed_under_load(url: str, channel: str, seed: int) -> list[Acknowledged]:
    """Let some hosts act at once and kill each at a moment of its own; the answer is what was acknowledged."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.support.busy_host"])
    moment, hosts = Random(seed), []
    for number in range(HOSTS):
        told, tell = forks.Pipe(duplex=False)
        host = forks.Process(target=busy_host.run, args=(url, channel, seed * HOSTS + number, tell), daemon=True)
        host.start()
        tell.close()
        hosts.append((host, told))
    heard = [told for host, told in hosts if told.poll(PATIENCE)]
    assert heard, "no host was ever acknowledged"
    for host, _ in hosts:
        time.sleep(moment.uniform(0, 0.25))
        assert host.is_alive(), f"a host ended by itself: {host.exitcode}"
        host.kill()
        host.join()
    return [acknowledged for _, told in hosts for acknowledged in _all(told)]


def _all(told: Connection) -> Iterator[Acknowledged]:
    try:
        while True:
            subject, key, seq = json.loads(told.recv_bytes())
            yield subject, key, seq
    except (EOFError, OSError):
        told.close()


def require_kept(market: Market, acknowledged: list[Acknowledged]) -> None:
    """Require that each acknowledged call has its entry, once."""
    chains: dict[str, dict[str | None, int]] = {}
    for subject, key, seq in acknowledged:
        if subject not in chains:
            chains[subject] = {entry.key: entry.seq for entry in market.history(subject)}
        found = chains[subject].get(key)  # without a key: registered, in the first entry
        assert found is not None and found <= seq, f"{subject}: {key} is lost"


def require_nothing_half_done(url: str) -> None:
    """Require that what a move owes stands beside it: whoever waits for a payout has its effect."""
    with Store.open(url) as store, store.read() as tx:
        owed = {(effect.subject, effect.kind, effect.code) for effect in tx.effects(100_000)}
        for case in tx.find(limit=100_000):
            if case["state"] == "approved.payable":
                assert (case["id"], "system_act", "dispatch_payout") in owed, case["id"]
            if case["state"] == "approved.paying":
                assert (case["id"], "payout", "PAYOUT") in owed, case["id"]


def test_nothing_acknowledged_is_lost_and_nothing_half_done(databases: Databases, tmp_path: Path) -> None:
    """After every kill the chains verify, all acknowledged calls are there, and a new process goes on."""
    url, channel = databases.copy_of("killed", prepare), str(tmp_path / "channel.json")
    acknowledged: list[Acknowledged] = []
    rounds = -(-KILLS // HOSTS)
    for seed in range(rounds):
        acknowledged += killed_under_load(url, channel, seed)
        market = Market(url, channel=FakeChannel(path=channel))
        market.require_sound()
        market.close()
    require_nothing_half_done(url)
    market = Market(url, channel=FakeChannel(path=channel))
    require_kept(market, acknowledged)
    market.refunds.work()
    for refund in market.refunds.list(actor=LI, limit=500).refunds:
        require_ledger(market.line(refund.order_id))
        if refund.order_id not in busy_host.SHARED:
            assert market.channel.paid(f"pay-{refund.order_id}") <= refund.settled_minor + refund.in_flight_minor
    found = market.refunds.verify()
    market.close()

    counted = f"{len(acknowledged)} acknowledged calls, {found.chains} chains, {found.entries} entries"
    print(f"{rounds * HOSTS} kills, {counted}")
    assert not found.findings and len(acknowledged) > rounds
