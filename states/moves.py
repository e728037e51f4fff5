"""What a move is: who may ask for it, what blocks it, when two persons are needed, what it does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from states.case import Blocker, Case, Json
from states.draft import Turn

Guard = Callable[[Turn], Iterable[Blocker]]
OF_TERMS: set[Guard] = set()
OF_SYSTEM: set[Guard] = set()


def of_terms(guard: Guard) -> Guard:
    """Mark a guard that judges nothing but the terms of an act: it never blocks a probe that gives none."""
    OF_TERMS.add(guard)
    return guard


def of_system(guard: Guard) -> Guard:
    """Mark a guard that judges only what the system does by itself: it never blocks a person."""
    OF_SYSTEM.add(guard)
    return guard


def nothing(turn: Turn, case: Case) -> None:
    """Change nothing beyond what the chart and the deadlines do."""


def never(turn: Turn) -> bool:
    """Answer that one person is enough."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One row of the moves table of the workflow, or one entry beside the chart.

    `guards` return every blocker that can be judged; `apply` changes the copy of the case under the
    entry and tells the effects; `states` are the leaves where an entry beside the chart is possible
    (None: the chart says).
    """

    roles: frozenset[str]
    guards: tuple[Guard, ...] = ()
    apply: Callable[[Turn, Case], None] = nothing
    two_persons: Callable[[Turn], bool] = never
    deciding: bool = False
    states: frozenset[str] | None = None
    kind: str = "applied"
    offered: bool = True  # False: an act of operations, not told among what is possible with a refund


def who(*roles: str) -> frozenset[str]:
    """Name the roles of a move; a supervisor may do what an agent may."""
    return frozenset(roles) | ({"supervisor"} if "agent" in roles else set())


def proof_missing(proof: Json) -> list[Blocker]:
    """Judge that a fact from outside comes with its proof; blanks prove nothing."""
    return [] if str(proof or "").strip() else [Blocker(code="PROOF_REQUIRED")]


def text_required(code: str, *names: str) -> Guard:
    """Make the guard of a text (one of `names`) that must not be empty."""

    @of_terms
    def guard(turn: Turn) -> list[Blocker]:
        given = any(turn.has_text(name) for name in names) or not any(turn.asked(name) for name in names)
        return [] if given else [Blocker(code=code)]

    return guard
