"""What the benchmark is to show, and what it showed: the first table of the page."""

from collections.abc import Iterator, Mapping, Sequence

from bench import deciding, reading
from bench.counts import Costs
from bench.growth import DUE, SINGLE, Grown
from bench.moves import AT_ONCE, COMPARED, JUDGED, OURS, PEERS, READ, STEPS, Run
from bench.processes import PROCESSES, Compared
from bench.recorded import BATCH, LAPSE
from bench.report import Section
from bench.rounds import CLOCKS, Times
from bench.scene import EVENTS

Row = tuple[str, str, str]
ONE = {"SQLite FULL": "1.15", "SQLite NORMAL": "1.4", "PostgreSQL": "0.7"}  # times the floor
MANY = "1.3"
RATES = {"SQLite": "0.85", "PostgreSQL": "1.8"}  # of many processes, times that of one
SLOWER = {  # how many times slower the others are, as the databases stand in ONE
    "SQLModel + python-statemachine": (9, 16, 5),
    "django-fsm-2 + log": (4.5, 4.5, 4.5),
    "DBOS": (14, 14, 12),
}


def section(
    runs: Sequence[Run],
    costs: Mapping[str, Mapping[str, Costs]],
    decided: Mapping[str, Times],
    reads: Mapping[str, Mapping[str, Times]],
    together: Mapping[str, Mapping[str, Compared]],
    grown: Mapping[str, Grown],
) -> Section:
    """Write the table; where several moves were measured, from the least to the greatest ratio."""
    rows = [row for run in runs for row in _of_run(run)]
    for database, counted in costs.items():
        rows += _of_counts(database, counted)
    judged, decide = (
        decided[name].median("cpu") * 1e3 / deciding.REPEATED for name in (deciding.JUDGED, deciding.DECIDE)
    )
    rows.append((
        "deciding alone: deadline and guards; with what changes, entry and effects", "≤ 5 µs",
        f"{judged:.1f}; {decide:.1f}",
    ))  # fmt: skip
    for database, times in reads.items():
        ratio, by_hand = (times[way].ratio(times[reading.SELECT]) for way in (reading.OURS, reading.BY_HAND))
        rows.append((f"{database}: read of one refund, to one SELECT", "≤ 3", f"{ratio:.1f}"))
        rows.append((f"{database}: read of one refund by hand, judged, to one SELECT", "", f"{by_hand:.1f}"))
    for database, compared in together.items():
        rows += _of_processes(database, compared[OURS])
    for database, found in grown.items():
        single = [found.ratio(figure) for figure in SINGLE]
        rows.append((f"{database}: {DUE}, the largest database to the smallest", "≤ 1.3", f"{found.ratio(DUE):.2f}"))
        rows.append((f"{database}: figures of one refund, the largest to the smallest", "≤ 1.3", _span(single)))
    return Section(title="Goals", about=_ABOUT, head=("what", "goal", "measured"), names=1, rows=rows)


def _of_run(run: Run) -> Iterator[Row]:
    database = run.scene.name
    moves = [run.moves[event].times for event in EVENTS]
    walls = [times[OURS].ratio(times[STEPS]) for times in moves]
    yield f"{database}: one move, to the floor", f"≤ {ONE[database]}", _span(walls)
    if database == "SQLite FULL":
        cpus = [times[OURS].ratio(times[STEPS], "cpu") for times in moves]
        yield f"{database}: one move, CPU to the floor's", "≤ 1.5", _span(cpus)
    if database == "PostgreSQL":
        at_once = [times[OURS].ratio(times[AT_ONCE]) for times in moves]
        yield f"{database}: one move, to the floor of one statement", "≤ 1.3", _span(at_once)
    walls, cpus = ([times[OURS].ratio(times[JUDGED], clock) for times in moves] for clock in CLOCKS)
    yield f"{database}: one move, to by hand, judged", "", _span(walls)
    yield f"{database}: one move, CPU to by hand, judged", "", _span(cpus)
    many = run.moves[LAPSE].times
    yield f"{database}: {BATCH} in one commit, to the floor", f"≤ {MANY}", f"{many[OURS].ratio(many[STEPS]):.2f}"
    yield f"{database}: {BATCH} in one commit, to by hand, judged", "", f"{many[OURS].ratio(many[JUDGED]):.2f}"
    yield f"{database}: one move and its answer read, to the floor", "", _span([t[READ].ratio(t[STEPS]) for t in moves])
    others = run.moves[COMPARED].times
    for name in PEERS:
        if name in others:
            goal = f"≥ {SLOWER[name][list(ONE).index(database)]}" if name in SLOWER else ""
            yield f"{database}: {name}, to refundflow", goal, f"{others[name].ratio(others[READ]):.1f}"


def _of_processes(database: str, found: Compared) -> Iterator[Row]:
    if database == "SQLite":
        p99 = found.many.p99 / found.many.median
        yield f"{database}, {PROCESSES} processes: p99 to the median of a move", "≤ 10", f"{p99:.1f}"
    least = RATES[database]
    yield f"{database}, {PROCESSES} processes: rate to that of one", f"≥ {least}", f"{found.rate:.2f}"


def _of_counts(database: str, counted: Mapping[str, Costs]) -> Iterator[Row]:
    commits = max(cost.facade.commits for cost in counted.values())
    yield f"{database}: commits of a move", "1", f"{commits:g}"
    trips = [cost.facade.trips for cost in counted.values() if cost.facade.trips is not None]
    if trips:
        yield f"{database}: round trips of a move", "≤ 3", _whole(trips)
    yield f"{database}: bytes of log, to the floor's", "≤ 1.1", _span([cost.log_ratio for cost in counted.values()])


def _span(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _whole(counts: Sequence[int]) -> str:
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


_ABOUT = "As ratios of times unless a unit stands there; the tables below say how each was measured."
