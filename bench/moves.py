"""One move, and many moves in one commit: refundflow against the floor and against what else one would take."""

import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from bench.lived import live, place
from bench.recorded import BATCH, LAPSE
from bench.report import Section
from bench.rounds import ROOT, Measured, Running, Times, measure
from bench.scene import EVENTS, Scene, Wanted, build, copy_of
from refundflow.service import Refunds
from states.refund_v1 import TABLE

PEERS_PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"
OURS, READ, STEPS, AT_ONCE = "refundflow", "refundflow, its answer read", "by hand", "by hand, one statement"
JUDGED = "by hand, judged"
STYLES = {OURS: "", READ: "read", STEPS: "steps", AT_ONCE: "at once", JUDGED: ""}
MODULES = {OURS: "bench.arms.facade", READ: "bench.arms.facade", JUDGED: "bench.arms.judged"}
ORM = "SQLModel + python-statemachine"  # has its share of our refunds; the others a database of their own
PEERS = {  # name: whether it needs the environment of its own, module
    ORM: (False, "bench.arms.orm"),
    f"{ORM}, fewer rows": (False, "bench.arms.orm_small"),
    "django-fsm-2 + log": (True, "bench.arms.django_fsm"),
    "DBOS": (True, "bench.arms.durable"),
}
SAME_ROWS = ("django-fsm-2 + log", "DBOS")  # write rows as wide as ours, in a database of their own
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

    `others` are those of `PEERS` that take part: `ORM` on refunds of its own among ours, each other in a new database
    beside; what is not installed does not.
    """
    present = [name for name in others if Path(program(name)[0]).exists()]
    lapse_nothing = [READ, *(name for name in present if name == ORM)]
    if kind == "sqlite":
        full = build("SQLite FULL", url, size.wanted, (OURS, JUDGED, STEPS), lapse_nothing, finders=2)
        scenes = [full, copy_of(full, "SQLite NORMAL", "normal")]
    else:
        arms = (OURS, JUDGED, STEPS, AT_ONCE)
        scenes = [build("PostgreSQL", url, size.wanted, arms, lapse_nothing, finders=2)]
    for scene in scenes:
        with new_beside(scene.url, [name for name in present if name not in scene.places]) as urls:
            yield _run(scene, urls, size)


def program(name: str) -> tuple[str, str]:
    """Return the Python and the module of an arm; where the Python does not exist, the arm is not installed."""
    apart, module = PEERS.get(name, (False, MODULES.get(name, "bench.arms.hand")))
    return str(PEERS_PYTHON) if apart else sys.executable, module


@contextmanager
def new_beside(url: str, names: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Give a new database beside another for each name, and remove them afterwards."""
    if url.startswith("sqlite:"):
        with tempfile.TemporaryDirectory(dir=Path(url.removeprefix("sqlite:///")).parent) as folder:
            yield {name: f"sqlite:///{folder}/{number}.db" for number, name in enumerate(names)}
        return
    server, _, database = url.rpartition("/")
    beside = {name: f"{database}_{number}" for number, name in enumerate(names)}
    with psycopg.connect(url, autocommit=True) as connection:
        for name in beside.values():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {name: f"{server}/{database}" for name, database in beside.items()}
        finally:
            for name in beside.values():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def plan_of(scene: Scene, name: str) -> dict[str, Any]:
    """Return the plan of an arm that has its share of the scene's refunds."""
    return {
        "url": scene.url, "synchronous": scene.synchronous, "style": STYLES.get(name, ""),
        "recordings": scene.recordings, "places": scene.places[name],
    }  # fmt: skip


def plan_beside(scene: Scene, url: str, moves: int) -> dict[str, Any]:
    """Return the plan of an arm that fills a database of its own as the scene's and moves some refunds, by lot."""
    return {
        "url": url, "synchronous": scene.synchronous, "scene": scene.url, "model": scene.rest[0].order_id,
        "chart": [(row.event, row.source, row.target, row.guards) for row in TABLE.rows], "refunds": scene.refunds,
        "numbers": random.Random(7).sample(range(scene.refunds), moves),
    }  # fmt: skip


def _run(scene: Scene, urls: Mapping[str, str], size: Size) -> Run:
    plans = {name: plan_of(scene, name) for name in scene.places}
    plans |= {name: plan_beside(scene, url, size.wanted.moves) for name, url in urls.items()}
    programs = {name: (*program(name), plan) for name, plan in plans.items()}
    with Running(programs) as running:
        ours = {name: running.arms[name] for name in scene.places if name in STYLES}
        taking_part = {event: running.arms if event == COMPARED else ours for event in EVENTS}
        found = {
            event: measure(arms, event, rounds=size.rounds, moves=size.moves) for event, arms in taking_part.items()
        }
        del ours[READ]
        found[LAPSE] = measure(ours, LAPSE, rounds=size.rounds, moves=1)
    verify(scene)
    for name in SAME_ROWS:
        if name in urls:
            for number in plans[name]["numbers"]:
                live(urls[name], place("N", number).order_id).newest(COMPARED)
    return Run(scene, found, running.peaks, _server(scene.url) | running.versions)


def _server(url: str) -> dict[str, str]:
    """Return the version of the server of a database that has one."""
    if url.startswith("sqlite:"):
        return {}
    with psycopg.connect(url) as connection:
        return {"PostgreSQL": connection.info.parameter_status("server_version") or "unknown"}


def verify(scene: Scene) -> None:
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
            ours, read, steps, judged = (times[name] for name in (OURS, READ, STEPS, JUDGED))
            at_once = times.get(AT_ONCE)
            rows.append((
                run.scene.name, f"`{event}`", str(run.scene.recordings[event].rows), _ms(steps),
                _ms(at_once) if at_once else "", _ms(judged), _ms(ours), f"**{ours.ratio(steps):.2f}**",
                f"**{ours.ratio(at_once):.2f}**" if at_once else "", f"**{ours.ratio(judged):.2f}**",
                f"{read.ratio(steps):.2f}",
                f"{steps.median('cpu'):.2f}", f"{ours.median('cpu'):.2f}", f"{ours.ratio(steps, 'cpu'):.2f}",
            ))  # fmt: skip
    return Section(
        title="One move in one commit", about=_ABOUT_ONE.format(refunds=runs[0].scene.refunds), rows=rows,
        head=("database", "move", "rows", STEPS, "one statement", JUDGED, OURS, "ratio", "to one statement",
              "ratio to judged", "answer read", "CPU by hand", "CPU refundflow", "ratio"),
    )  # fmt: skip


def _many(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        ours, steps, judged = (run.moves[LAPSE].times[name] for name in (OURS, STEPS, JUDGED))
        cpu = [f"{way.median('cpu') / BATCH:.3f}" for way in (steps, judged, ours)]
        rows.append((
            run.scene.name, str(run.scene.recordings[LAPSE].rows), _ms(steps, BATCH), _ms(judged, BATCH),
            _ms(ours, BATCH), f"**{ours.ratio(steps):.2f}**", f"**{ours.ratio(judged):.2f}**", *cpu,
            f"{ours.ratio(steps, 'cpu'):.2f}", f"{ours.ratio(judged, 'cpu'):.2f}",
        ))  # fmt: skip
    return Section(
        title=f"{BATCH} refunds in one commit", about=_ABOUT_MANY, rows=rows,
        head=("database", "rows", "set-based by hand", JUDGED, OURS, "ratio", "ratio to judged", "CPU by hand",
              "CPU by hand, judged", "CPU refundflow", "ratio", "ratio to judged"),
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
and then one data-modifying statement that commits by itself. [By hand, judged](../bench/judging.py) is what careful
code for these four moves alone would be, straight on and without a framework: one statement reads what refundflow
reads, and before the same rows are written it is asked whether the caller is registered and may do this, or is the
buyer, whether the idempotency key is used up and by which request, whether anything is due on the line, whether the
refund is in its state, and what else blocks the move; its deadlines are counted, and a line or refund that has changed
since refuses it. On PostgreSQL one statement reads and one data-modifying statement writes. Less than refundflow:
nothing due is applied, no refusal recorded, no answer made; the rest stands at its head. All write to one database,
which verifies afterwards. SQLite FULL flushes every commit, NORMAL does not; PostgreSQL flushes."""
_ABOUT_MANY = """\
Refunds whose evidence never came: each lapses and is closed, two entries in its chain. refundflow finds what is due and
fires it; by hand the refunds are known. By hand: one SELECT, then `executemany` on SQLite, and on PostgreSQL one
data-modifying statement over `jsonb_to_recordset`. [By hand, judged](../bench/judging_due.py) finds what is due too and
asks of each refund what refundflow asks: which deadline is over, whether evidence came, how long one may appeal by the
policy that it is pinned to, and whether that is over; then it writes the same rows in the same way, unless a line or
refund has changed since. Less than refundflow: no other lapse, no locks on PostgreSQL, and the rest that stands at its
head. Milliseconds per refund."""
_ABOUT_OTHERS = """\
The move `request_evidence` and what is possible next, durable in the same way, as somebody would write it with each
library who needs the same guarantees: the same rows of the same width are read and written, a registered role, rounds
and kinds of evidence, deadlines and the idempotency key are judged, the entry is chained and hashed, the refund
compared and set. What each does more or less stands at the head of its program: [SQLModel +
python-statemachine](../bench/arms/orm.py) (refundflow's own tables and its share of the refunds, which verify with
ours), [django-fsm-2](../bench/arms/django_fsm.py) and [DBOS](../bench/arms/durable.py) (as many refunds in a database
of its own each, whose chains are followed afterwards; django-fsm-log adds its own log row, DBOS its own records in
further commits). None of them judges the other rules or applies lapsed deadlines. Beside them [what one would write at
first](../bench/arms/orm_small.py): no roles, no ledger, no hashes, small rows. The settings are those that the library
sets, but for those that make it as durable and, on our tables, as refundflow's. Ratios are to refundflow with its
answer read."""
