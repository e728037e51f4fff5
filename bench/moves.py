"""One move, and many moves in one commit: refundflow against the floor and against what else one would take."""

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from bench.recorded import BATCH, LAPSE
from bench.report import Section
from bench.rounds import ROOT, Measured, Running, Times, measure
from bench.scene import EVENTS, Scene, Wanted, build, copy_of
from refundflow.service import Refunds

PEERS_PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"
OURS, READ, STEPS, AT_ONCE = "refundflow", "refundflow, its answer read", "by hand", "by hand, one statement"
STYLES = {OURS: "", READ: "read", STEPS: "steps", AT_ONCE: "at once"}
PEERS = {  # name: whether it needs the environment of its own, module
    "SQLModel + python-statemachine": (False, "bench.arms.orm"),
    "django-fsm-2 + log": (True, "bench.arms.django_fsm"),
    "DBOS": (True, "bench.arms.durable"),
}
COMPARED = "request_evidence"  # the move that the others make too


class Size(NamedTuple):
    """How much is measured."""

    refunds: int
    rounds: int
    moves: int  # of each arm in a round
    sizes: Sequence[int] = ()  # of databases that are compared for growth

    @property
    def wanted(self) -> Wanted:
        """Return what the database must hold for the moves and for as many batches as rounds."""
        return Wanted(self.refunds, (self.rounds + 1) * self.moves, self.rounds + 1)


class Run(NamedTuple):
    """What was measured on one database."""

    scene: Scene
    moves: Mapping[str, Measured]  # by event, LAPSE: a commit of many
    peaks: Mapping[str, float]
    versions: Mapping[str, str]


def runs(kind: str, url: str, size: Size, others: Sequence[str] = tuple(PEERS)) -> Iterator[Run]:
    """Measure on a new database; on SQLite flushed at every commit, and then on a copy that is not.

    `others` are those of `PEERS` that take part, each in a new database beside; what is not installed does not.
    """
    present = [name for name in others if Path(_python(name)).exists()]
    if kind == "sqlite":
        yield from _sqlite_runs(url, size, present)
    else:
        yield _postgres_run(url, size, present)


def _python(name: str) -> str:
    apart, _ = PEERS[name]
    return str(PEERS_PYTHON) if apart else sys.executable


def _sqlite_runs(url: str, size: Size, others: Sequence[str]) -> Iterator[Run]:
    full = build("SQLite FULL", url, size.wanted, (OURS, STEPS), [READ])
    normal = copy_of(full, "SQLite NORMAL", "normal")
    folder = Path(url.removeprefix("sqlite:///")).parent
    for scene in (full, normal):
        urls = {name: f"sqlite:///{folder / f'{scene.synchronous}-{n}.db'}" for n, name in enumerate(others)}
        yield _run(scene, urls, size)


def _postgres_run(url: str, size: Size, others: Sequence[str]) -> Run:
    scene = build("PostgreSQL", url, size.wanted, (OURS, STEPS, AT_ONCE), [READ])
    server, _, database = url.rpartition("/")
    names = {name: f"{database}_{number}" for number, name in enumerate(others)}
    with psycopg.connect(url, autocommit=True) as connection:
        version = connection.info.parameter_status("server_version") or "unknown"
        for beside in names.values():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(beside)))
        urls = {name: f"{server}/{beside}" for name, beside in names.items()}
        run = _run(scene, urls, size)
        for beside in names.values():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(beside)))
    return run._replace(versions={"PostgreSQL": version, **run.versions})


def _run(scene: Scene, urls: Mapping[str, str], size: Size) -> Run:
    programs: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
    shared = {"synchronous": scene.synchronous}
    for name, places in scene.places.items():
        module = "bench.arms.facade" if name in (OURS, READ) else "bench.arms.hand"
        plan = {"url": scene.url, "style": STYLES[name], "recordings": scene.recordings, "places": places}
        programs[name] = (sys.executable, module, shared | plan)
    numbers = random.Random(7).sample(range(1, size.refunds + 1), size.wanted.moves)
    for name, url in urls.items():
        _, module = PEERS[name]
        theirs = {"url": url, "refunds": size.refunds, "numbers": numbers}
        programs[name] = (_python(name), module, shared | theirs)
    with Running(programs) as running:
        ours = {name: running.arms[name] for name in scene.places}
        taking_part = {event: running.arms if event == COMPARED else ours for event in EVENTS}
        found = {
            event: measure(arms, event, rounds=size.rounds, moves=size.moves) for event, arms in taking_part.items()
        }
        del ours[READ]
        found[LAPSE] = measure(ours, LAPSE, rounds=size.rounds, moves=1)
    _verify(scene)
    return Run(scene, found, running.peaks, running.versions)


def _verify(scene: Scene) -> None:
    """Check that all sides have written whole chains.

    Raises:
        RuntimeError: the database does not verify.
    """
    with Refunds.connect(scene.url) as refunds:
        findings = refunds.verify().findings
    if findings:
        raise RuntimeError(f"{len(findings)} findings, the first: {findings[0]}")


def sections(runs: Sequence[Run]) -> list[Section]:
    """Write the tables of all runs."""
    return [_one(runs), _many(runs), _others(runs)]


def _one(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        for event in EVENTS:
            times = run.moves[event].times
            ours, read, steps = times[OURS], times[READ], times[STEPS]
            at_once = times.get(AT_ONCE)
            rows.append((
                run.scene.name, f"`{event}`", str(run.scene.recordings[event].rows), _ms(steps),
                _ms(at_once) if at_once else "", _ms(ours), f"**{ours.ratio(steps):.2f}**",
                f"**{ours.ratio(at_once):.2f}**" if at_once else "", f"{read.ratio(steps):.2f}",
                f"{steps.median('cpu'):.2f}", f"{ours.median('cpu'):.2f}", f"{ours.ratio(steps, 'cpu'):.2f}",
            ))  # fmt: skip
    return Section(
        title="One move in one commit", about=_ABOUT_ONE.format(refunds=runs[0].scene.refunds), rows=rows,
        head=("database", "move", "rows", STEPS, "one statement", OURS, "ratio", "to one statement", "answer read",
              "CPU by hand", "CPU refundflow", "ratio"),
    )  # fmt: skip


def _many(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        ours, steps = (run.moves[LAPSE].times[name] for name in (OURS, STEPS))
        rows.append((
            run.scene.name, str(run.scene.recordings[LAPSE].rows), _ms(steps, BATCH), _ms(ours, BATCH),
            f"**{ours.ratio(steps):.2f}**", f"{steps.median('cpu') / BATCH:.3f}", f"{ours.median('cpu') / BATCH:.3f}",
            f"{ours.ratio(steps, 'cpu'):.2f}",
        ))  # fmt: skip
    return Section(
        title=f"{BATCH} refunds in one commit", about=_ABOUT_MANY, rows=rows,
        head=("database", "rows", "set-based by hand", OURS, "ratio", "CPU by hand", "CPU refundflow", "ratio"),
        names=1,
    )  # fmt: skip


def _others(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        times = run.moves[COMPARED].times
        read = times[READ]
        rows += [
            (
                run.scene.name, name, _ms(taken), f"**{taken.ratio(read):.1f}**", f"{taken.median('cpu'):.2f}",
                f"{taken.ratio(read, 'cpu'):.1f}", f"{run.peaks[name]:.0f}",
            )
            for name, taken in times.items()
        ]  # fmt: skip
    return Section(
        title="What else one would take", about=_ABOUT_OTHERS, rows=rows,
        head=("database", "way", "ms", "ratio", "CPU", "ratio", "peak MiB"),
    )  # fmt: skip


def _ms(times: Times, share: int = 1) -> str:
    digits = 3 if share > 1 else 2
    return f"{times.median() / share:.{digits}f} ({times.p90() / share:.{digits}f})"


_ABOUT_ONE = """\
On a database of {refunds:,} refunds with their entries; which refunds are moved is drawn by lot. Through the facade:
roles, rules, deadlines, idempotency key, ledger, entry, effects; its answer is made when it is looked at, and `answer
read` is the ratio when what is possible next is looked at too. By hand: the same rows, the same entry chained and
hashed, the refund compared and set, in one transaction, statements prepared, the settings of the connection as
refundflow's; no rules, no answer. On PostgreSQL by hand means one statement after the other, and beside it what is read
and then one data-modifying statement that commits by itself. Both sides write to one database, which verifies
afterwards. SQLite FULL flushes every commit, NORMAL does not; PostgreSQL flushes."""
_ABOUT_MANY = """\
Refunds whose evidence never came: each lapses and is closed, two entries in its chain. refundflow finds what is due and
fires it; by hand the refunds are known. By hand: one SELECT, then `executemany` on SQLite, and on PostgreSQL one
data-modifying statement over `jsonb_to_recordset`. Milliseconds per refund."""
_ABOUT_OTHERS = """\
The move `request_evidence`, durable in the same way, and what is possible next, as near as each allows; what each
leaves out stands at the head of its program: [SQLModel + python-statemachine](../bench/arms/orm.py),
[django-fsm-2](../bench/arms/django_fsm.py), [DBOS](../bench/arms/durable.py). None of them knows roles, a policy, a
ledger or hashes, and their rows are smaller; each has as many refunds in a database of its own, and the settings that
its library sets, but for those that make it as durable. DBOS writes its own records in further commits. Ratios are to
refundflow with its answer read."""
