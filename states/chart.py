"""The strict chart base, and the table compiled from a chart class that decides on the hot path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from statemachine import State, StateChart


class Situation(NamedTuple):
    """What the guards of a chart may ask: everything else that blocks a move is a blocker of the rules."""

    in_appeal: bool = False
    evidence_came: bool = False
    refund_part: bool = True


SITUATIONS = tuple(Situation(*outcome) for outcome in product((False, True), repeat=len(Situation._fields)))


def in_appeal(situation: Situation) -> bool:
    """Tell whether the instance is the appeal."""
    return situation.in_appeal


def evidence_came(situation: Situation) -> bool:
    """Tell whether anything came in this round of evidence."""
    return situation.evidence_came


def refund_part(situation: Situation) -> bool:
    """Tell whether the offer that is accepted has a refund part."""
    return situation.refund_part


class StrictChart(StateChart[Any]):
    """A chart in which an illegal event and a failing guard are errors, never ignored."""

    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True


def stays(state: State) -> Any:
    """Return the transition that leaves the state as it is: an entry, a deadline set again, no re-entry."""
    to: Any = state.to
    return to.itself(internal=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the transition table: `guards` are written as the chart has them (``!`` negates)."""

    event: str
    source: str
    target: str
    guards: tuple[str, ...]


class Table:
    """The moves of a chart class as look-ups: leaf paths as text, guards already evaluated."""

    def __init__(self, chart: type[StateChart[Any]], version: str) -> None:
        self.version = version
        self.leaves: dict[str, State] = {_path(leaf): leaf for leaf in _leaves(chart)}
        self.initial = next(path for path, leaf in self.leaves.items() if _is_initial(leaf))
        self.final = frozenset(path for path, leaf in self.leaves.items() if leaf.final)
        self.events = tuple(event.id for event in _events(chart) if event.id)
        self.rows = tuple(_rows(self.leaves))
        self._targets = _evaluate(self.leaves)
        # where every situation leads to the same leaf nobody need ask for it
        self.certain: Mapping[tuple[str, str], str] = {
            (path, event): target
            for (path, event, situation), target in self._targets.items()
            if situation == Situation() and {self.target(path, event, other) for other in SITUATIONS} == {target}
        }
        self._sources = {
            event: tuple(dict.fromkeys(row.source for row in self.rows if row.event == event)) for event in self.events
        }
        self.events_of: Mapping[str, tuple[str, ...]] = {
            path: tuple(event for event in self.events if (path, event) in {(r.source, r.event) for r in self.rows})
            for path in self.leaves
        }

    def target(self, state: str, event: str, situation: Situation = Situation()) -> str | None:  # noqa: B008
        """Return the leaf that `event` leads to from `state`, or None where the chart has no such move."""
        return self._targets.get((state, event, situation))

    def sources(self, event: str) -> tuple[str, ...]:
        """Return the leaves from which `event` is a move."""
        return self._sources.get(event, ())


def phase_of(state: str) -> str:
    """Return the phase of a leaf path."""
    return state.partition(".")[0]


def _events(chart: Any) -> Iterator[Any]:
    """Return the events of a chart class; the library types them for its instances only."""
    yield from chart.events


def _leaves(chart: type[StateChart[Any]]) -> Iterator[State]:
    for state in chart.states:
        yield from state.states or (state,)


def _path(leaf: State) -> str:
    return f"{leaf.parent.id}.{leaf.id}" if leaf.parent else str(leaf.id)


def _is_initial(leaf: State) -> bool:
    return bool(leaf.initial) and (leaf.parent is None or bool(leaf.parent.initial))


def _transitions(leaf: State) -> Iterator[Any]:
    yield from leaf.transitions
    if leaf.parent:
        yield from (move for move in leaf.parent.transitions if move.event)


def _entered(target: State) -> State:
    """Return the leaf that is entered when a transition names a phase."""
    return next((child for child in target.states if child.initial), target)


def _rows(leaves: Mapping[str, State]) -> Iterator[Row]:
    for path, leaf in leaves.items():
        for move in _transitions(leaf):
            guards = tuple(("" if guard.expected_value else "!") + guard.func.__name__ for guard in move.cond)
            for event in move.event.split():
                yield Row(event=event, source=path, target=_path(_entered(move.target)), guards=guards)


def _evaluate(leaves: Mapping[str, State]) -> dict[tuple[str, str, Situation], str]:
    targets: dict[tuple[str, str, Situation], str] = {}
    for path, leaf in leaves.items():
        for move in _transitions(leaf):
            for situation in SITUATIONS:
                if all(bool(guard.func(situation)) is guard.expected_value for guard in move.cond):
                    for event in move.event.split():
                        targets.setdefault((path, event, situation), _path(_entered(move.target)))
    return targets


def disagreements(chart: type[StateChart[Any]], table: Table) -> Iterator[str]:
    """Ask python-statemachine itself about every (state, event, guard outcome); yield where the table differs."""
    for (path, leaf), event, situation in product(table.leaves.items(), table.events, SITUATIONS):
        machine = chart(start_value=leaf.value)
        try:
            machine.send(event, situation=situation)
            engine: str | None = _path(next(state for state in machine.configuration if not state.states))
        except StateChart.TransitionNotAllowed:
            engine = None
        if engine != table.target(path, event, situation):
            yield f"{path} + {event} {situation}: engine {engine}, table {table.target(path, event, situation)}"
