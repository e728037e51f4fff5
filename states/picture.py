"""The chart as text: its transition table, and its diagram for Mermaid."""

from collections.abc import Iterator
from typing import NamedTuple

from states.chart import Table, phase_of

INDENT = "    "


class Move(NamedTuple):
    """One line of the transition table; `guard` is empty where the chart asks nothing."""

    source: str
    event: str
    guard: str
    target: str


def moves(table: Table) -> tuple[Move, ...]:
    """Return every move of the chart in its order, the one that opens a refund first."""
    rows = (Move(row.source, row.event, " and ".join(map(_words, row.guards)), row.target) for row in table.rows)
    return (Move("", "submit", "", table.initial), *rows)


def mermaid(table: Table) -> str:
    """Return the chart as a Mermaid state diagram: phases as boxes, moves between the same leaves on one arrow."""
    lines = ["stateDiagram-v2", f"{INDENT}[*] --> {_node(table.initial)} : submit", *_nodes(table)]
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in moves(table)[1:]:
        label = f"{move.event} [{move.guard}]" if move.guard else move.event
        arrows.setdefault((move.source, move.target), []).append(label)
    for (source, target), labels in arrows.items():
        lines.append(f"{INDENT}{_node(source)} --> {_node(target)} : {'<br/>'.join(dict.fromkeys(labels))}")
    lines += [f"{INDENT}{_node(leaf)} --> [*]" for leaf in table.leaves if leaf in table.final]
    return "\n".join(lines) + "\n"


def _words(guard: str) -> str:
    """Write a guard as words: ``!in_appeal`` is "not in appeal"."""
    return ("not " if guard.startswith("!") else "") + guard.removeprefix("!").replace("_", " ")


def _node(leaf: str) -> str:
    """Return the name of a leaf in the diagram, unique and without a dot."""
    return leaf.replace(".", "_")


def _nodes(table: Table) -> Iterator[str]:
    """Name the leaves, those of one phase in a box."""
    for phase in dict.fromkeys(map(phase_of, table.leaves)):
        inner = [leaf for leaf in table.leaves if phase_of(leaf) == phase and leaf != phase]
        if not inner:
            yield f"{INDENT}{phase}"
            continue
        yield f"{INDENT}state {phase} {{"
        for leaf in inner:
            yield f'{INDENT * 2}state "{leaf.partition(".")[2]}" as {_node(leaf)}'
        yield f"{INDENT}}}"
