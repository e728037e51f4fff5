"""Running workers: a process that stays, is woken, is stopped; the outbox, the calendar and the numbers as commands."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.desk import HEADER, Desk
from tests.support.databases import Databases

NEXT_YEAR = {"name": "cn", "first": "2027-01-01", "last": "2027-12-31", "holidays": ["2027-01-01"], "makeup": []}
PATIENCE = 60.0


@pytest.fixture
def live_desk(databases: Databases, tmp_path: Path) -> Desk:
    """Give a live database with one paid order line, staff, and a fake channel."""
    desk = Desk(url=databases.empty(), folder=tmp_path)
    desk.env["REFUNDFLOW_FAKE_CHANNEL"] = str(desk.folder / "channel")
    desk.text("init")
    desk.text("staff add zhao --role supervisor --role agent --role service --as supervisor:zhao")
    order = ",2026-03-02T09:00:00+08:00,2026-03-02T09:00:05+08:00,1,,"
    lines = [f"A{number},b-17,game_card,Card,unused,10000,CNY,fake,pay-{number}{order}" for number in range(3)]
    orders = desk.file("orders.csv", "\n".join([HEADER, *lines]) + "\n")
    desk.text(f"orders import {orders} --as service:zhao")
    return desk


@contextmanager
def worker(desk: Desk, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a worker in a process of its own; it ends cleanly when it is told to."""
    environment = {**os.environ, **desk.env, "REFUNDFLOW_DATABASE_URL": desk.url}
    command = [sys.executable, "-m", "refundflow", "worker", *options]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "working" in line or "metrics at" in line)
        process.told = line  # type: ignore[attr-defined]
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def approved(desk: Desk, order: str) -> str:
    """Claim and approve; the answer is the refund's id."""
    refund = f"{order}-1-1"
    desk.text(f"submit {order} --reason MINOR_SPENDING --as buyer:b-17")
    desk.text(f"begin-review {refund} --as agent:zhao")
    desk.text(f"approve {refund} --as agent:zhao")
    return refund


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_a_worker_is_woken_pays_and_ends_on_sigterm(live_desk: Desk) -> None:
    """What is approved while it sleeps is paid soon, its messages leave, and SIGTERM ends it with status 0."""
    out = live_desk.folder / "out.jsonl"
    with worker(live_desk, "--deliver-file", str(out)):
        refund = approved(live_desk, "A0")
        until(lambda: live_desk.json(f"show {refund} --as agent:zhao")["state"] == "paid_out.settled")
        until(lambda: live_desk.json("effects list --as supervisor:zhao") == [])

    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [item["code"] for item in told if item["kind"] == "buyer_message"] == [
        "SUBMITTED", "APPROVED", "PAYING", "SETTLED",
    ]  # fmt: skip


def test_two_workers_by_mistake_do_no_harm(live_desk: Desk) -> None:
    """Started twice on one database, every payout is sent once and every message leaves once."""
    out = live_desk.folder / "out.jsonl"
    with worker(live_desk, "--deliver-file", str(out)), worker(live_desk, "--deliver-file", str(out)):
        refunds = [approved(live_desk, order) for order in ("A0", "A1", "A2")]
        for refund in refunds:
            until(lambda: live_desk.json(f"show {refund} --as agent:zhao")["state"] == "paid_out.settled")  # noqa: B023
        until(lambda: live_desk.json("effects list --as supervisor:zhao") == [])

    ids = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert len(ids) == len(set(ids))
    assert live_desk.json("audit verify")["findings"] == []


def test_a_worker_serves_metrics(live_desk: Desk) -> None:
    """Prometheus can scrape a running worker, and the command prints the same numbers."""
    live_desk.text("submit A0 --reason MINOR_SPENDING --as buyer:b-17")
    with worker(live_desk, "--metrics-port", "0") as process:
        [address] = re.findall(r"http://\S+", process.told)  # type: ignore[attr-defined]

        def scraped() -> str:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return str(answer.read().decode())

        until(lambda: 'refundflow_moves_total{event="submit",outcome="applied"} 1.0' in scraped())

    printed = live_desk.text("metrics")
    assert 'refundflow_moves_total{event="submit",outcome="applied"} 1.0' in printed
    assert 'refundflow_open_refunds{state="submitted"} 1.0' in printed


def test_effects_are_listed_shown_retried_and_discarded(desk: Desk) -> None:
    """Each command answers, and says by its exit status what is not there, not allowed, or not to be dropped."""
    desk.text("submit A1 --reason CODE_INVALID --as buyer:b-17")
    found = desk.json("effects list --as supervisor:zhao")
    number = next(item["effect"] for item in found if item["kind"] == "buyer_message")

    assert desk.json(f"effects show {number} --as agent:li")["code"] == "SUBMITTED"
    assert desk.json(f"effects retry {number} --as finance:qian")["tries"] == 0
    assert desk.json("effects list --dead --as supervisor:zhao") == []
    desk.refused(f"effects discard {number} --message away --as agent:li", 4)
    desk.refused(f"effects retry {number} --as auditor:wu", 4)
    desk.refused("effects list --as buyer:b-17", 5)
    desk.refused("effects show 999 --as supervisor:zhao", 5)
    desk.refused(f"effects discard {number} --as supervisor:zhao", 2)
    assert desk.json(f'effects discard {number} --message "Gone." --as supervisor:zhao')["effect"] == number
    desk.refused(f"effects show {number} --as supervisor:zhao", 5)
    assert "effect_discarded" in [entry["event"] for entry in desk.json("history A1-1-1 --as agent:li")]


def test_a_calendar_is_looked_at_and_imported(both_desks: Desk) -> None:
    """The status tells the reach, an import extends it, and others than supervisors, or no file, are refused."""
    desk = both_desks
    at = "--at 2026-12-30T10:00:00+08:00"
    file = desk.file("2027.json", json.dumps(NEXT_YEAR))
    desk.text(f"submit A2 --reason MINOR_SPENDING --as buyer:b-17 {at}")
    before = desk.json(f"calendar status {at}")
    desk.refused(f"calendar import {file} --as agent:li {at}", 4)
    desk.refused(f"calendar import {desk.folder / 'none.json'} --as supervisor:zhao {at}", 2)
    done = desk.json(f"calendar import {file} --as supervisor:zhao {at}")
    after = desk.json(f"calendar status {at}")

    assert (before["ends_soon"], before["provisional"], done["recomputed"]) == (True, 1, 1)
    assert (after["last"], after["ends_soon"], after["provisional"]) == ("2027-12-31", False, 0)


def test_the_doctor_warns_before_the_calendar_ends(desk: Desk) -> None:
    """Sixty days before the last covered day the doctor says that the next year is to be imported."""
    desk.text("submit A1 --reason CODE_INVALID --as buyer:b-17 --at 2026-03-03T10:00:00+08:00")
    calm = {item["what"]: item["verdict"] for item in desk.json("doctor")}
    desk.text("worker --once --at 2026-11-03T10:00:00+08:00")
    late = {item["what"]: item["verdict"] for item in desk.json("doctor")}

    assert (calm["calendar"], late["calendar"]) == ("ok", "warning")
