"""Running it: the worker, the doctor, the demo."""

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.acceptance.desk import HEADER, ORDERS, Desk

ROOT = Path(__file__).parents[2]


def test_a_round_of_the_worker_does_what_is_due(desk: Desk) -> None:
    """One round applies what lapsed meanwhile and says how much; a second one finds nothing."""
    desk.text("submit A5 --reason WRONG_FACE_VALUE --as buyer:b-19")

    done = desk.json("worker --once --at 2026-03-09T09:00:00+08:00")

    assert done["lapsed"] == 1
    assert desk.text("worker --once") == "done\tnothing was due\n"
    assert desk.json("show A5-1-1 --as agent:li")["state"] == "rejected.closed"


def test_in_a_rehearsal_no_worker_stays(desk: Desk) -> None:
    """Time stands still in a rehearsal, so there is nothing to wait for."""
    assert desk.refused("worker", 2)["field"] == "once"


def test_a_worker_that_stays_pays_and_ends_when_it_is_stopped(empty_desk: Desk) -> None:
    """In a live database a worker does what comes, and ends after its round when it is told to stop."""
    desk = empty_desk
    desk.env["REFUNDFLOW_FAKE_CHANNEL"] = str(desk.folder / "channel")
    desk.text("init")
    desk.text("staff add zhao --role supervisor --role agent --role service --as supervisor:zhao")
    orders = desk.file("orders.csv", f"{HEADER}\n{ORDERS[0]}\n")
    desk.text(f"orders import {orders} --as service:zhao")
    desk.text("submit A1 --reason MINOR_SPENDING --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:zhao")
    desk.text("approve A1-1-1 --as agent:zhao")
    environment = {**os.environ, **desk.env, "REFUNDFLOW_DATABASE_URL": desk.url}
    command = [sys.executable, "-m", "refundflow", "worker"]

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = iter(process.stdout.readline, "")
        assert "settled\t1\n" in seen  # waits until the worker says so
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
    assert desk.json("show A1-1-1 --as agent:zhao")["state"] == "paid_out.settled"


def test_init_says_which_database_is_ready(empty_desk: Desk) -> None:
    """Who has set no variable, or another than he thinks, sees it."""
    said = empty_desk.run("init").stderr

    assert said == f"ready: a live database, for ever: {empty_desk.url}\n"


def test_the_doctor_finds_a_healthy_database_healthy(both_desks: Desk) -> None:
    """Installation, chart, calendar, database and guards are looked at, and nothing is wrong."""
    found = {item["what"]: item["verdict"] for item in both_desks.json("doctor")}

    assert set(found) == {
        "package", "chart", "calendar", "database", "guards", "privileges", "erasures", "log",
    }  # fmt: skip
    assert "failed" not in found.values()


def test_the_doctor_finds_a_guard_that_is_gone(desk: Desk) -> None:
    """Without its guards a database is not healthy, and the missing one is named."""
    database = sqlite3.connect(desk.url.removeprefix("sqlite:///"))
    database.execute("DROP TRIGGER transitions_no_update")
    database.commit()
    database.close()

    result = desk.run("doctor")

    assert result.exit_code == 1
    assert "guards\tfailed\tguard transitions_no_update: missing, changed or switched off" in result.stdout


def test_a_damaged_file_is_told(desk: Desk) -> None:
    """Whoever opens it is told what to do, and the doctor looks at what can be looked at."""
    path = Path(desk.url.removeprefix("sqlite:///"))
    path.write_bytes(path.read_bytes()[:20_000])

    assert "restore a backup" in desk.refused("queue --as agent:li", 2)["message"]
    assert {item["what"] for item in json.loads(desk.run("doctor --json").stdout)} == {
        "package", "chart", "calendar", "database",
    }  # fmt: skip


def test_a_database_that_may_only_be_read_is_told(desk: Desk) -> None:
    """Every command says that the file must be writable, and the doctor is no exception."""
    with TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "shop.db"
        shutil.copy(desk.url.removeprefix("sqlite:///"), path)
        desk.url = f"sqlite:///{path}"
        desk.run("doctor")  # loads everything, for the account of the child may not read it
        path.chmod(0o444)
        folder.chmod(0o555)
        child = os.fork()
        if child == 0:
            if os.geteuid() == 0:
                os.setuid(65534)
            told = [desk.run(command) for command in ("queue --as agent:li", "doctor")]
            right = "may not be written" in told[0].stderr and "database\tfailed" in told[1].stdout
            os._exit(0 if right and [item.exit_code for item in told] == [2, 1] else 1)
        _, status = os.waitpid(child, 0)
        folder.chmod(0o755)

    assert status == 0


def test_the_doctor_looks_without_a_database_too(empty_desk: Desk) -> None:
    """Before `init` the doctor says what is missing."""
    result = empty_desk.run("doctor")

    assert result.exit_code == 1
    assert "refundflow init" in result.stdout


def test_the_demo_ends_with_a_queue_and_commands_that_work(tmp_path: Path) -> None:
    """The demo needs nothing, ends with a queue, and each of the three commands that it names can be typed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDFLOW")}
    environment["PYTHONPATH"] = str(ROOT)
    run = [sys.executable, "-m", "refundflow"]
    done = subprocess.run([*run, "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    export, *lines = (line.strip() for line in done.stderr.splitlines() if line.startswith("  "))
    name, _, url = export.removeprefix("export ").partition("=")

    assert {"overdue", "due today", "waiting"} <= {row.split("\t")[0] for row in done.stdout.splitlines()}
    assert any("clear evidence" in row for row in done.stdout.splitlines())
    assert len(lines) == 3
    for line in lines:
        command = [*run, *shlex.split(line)[1:]]
        subprocess.run(command, cwd=tmp_path, env={**environment, name: url}, capture_output=True, check=True)
