"""Read values out of a parsed file and keep every problem, so that all are reported at once."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

MISSING = object()


class Problem(NamedTuple):
    """One thing wrong with a file: its key, what is wrong, what is allowed."""

    key: str
    problem: str
    allowed: str


class Reader:
    """Read one table of a file by key; reports what is wrong and, at `close`, what nobody read.

    After a problem a reader returns some value of the right type: whoever reads must look at
    `problems` before using what was read.
    """

    def __init__(self, content: object, problems: list[Problem], prefix: str = "") -> None:
        """Read a table; problems go to the shared list, keys are reported below the prefix."""
        self.problems = problems
        self.prefix = prefix
        self._read: set[str] = set()
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self.is_table = isinstance(content, Mapping)  # if not, that is the problem, and not what is below
        if not self.is_table and content is not MISSING:
            self.report("", f"is {content!r}", "a table")

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the table, in order of name."""
        return tuple(sorted(map(str, self._content)))

    def report(self, key: str, problem: str, allowed: str) -> None:
        """Keep a problem of a key of this table (an empty key is the table itself)."""
        self.problems.append(Problem(self._name(key), problem, allowed))

    def contradict(self, key: str, relation: str, other: str, allowed: str) -> None:
        """Keep a problem between two keys, unless one of them is already wrong by itself."""
        wrong = {found.key for found in self.problems}
        if not wrong & {self._name(key), self._name(other)}:
            self.report(key, f"{relation} {other}", f"{allowed} {other}")

    def take(self, key: str, allowed: str, default: Any = MISSING) -> Any:
        """Return the raw value of a key, or the default; a missing key without default is a problem."""
        self._read.add(key)
        value = self._content.get(key, default)
        if value is MISSING and self.is_table:
            self.report(key, "is missing", allowed)
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """Read a whole number within bounds, both inclusive."""
        allowed = f"a whole number from {low} to {high}"
        value = self.take(key, allowed)
        return low if value is MISSING else self._whole(key, value, low, high, allowed)

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Read a whole number within bounds; absent is None."""
        allowed = f"a whole number from {low} to {high}, or no such line"
        value = self.take(key, allowed, None)
        return None if value is None else self._whole(key, value, low, high, allowed)

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false; absent is the default."""
        value = self.take(key, "true or false", default)
        if not isinstance(value, bool):
            self.report(key, f"is {value!r}", "true or false")
            return default
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Read one of the allowed words."""
        listed = "one of " + ", ".join(allowed)
        value = self.take(key, listed)
        if value is not MISSING and value not in allowed:
            self.report(key, f"is {value!r}", listed)
        return value if isinstance(value, str) and value in allowed else allowed[0]

    def words(self, key: str, known: Iterable[str] | None, *, empty: bool = False) -> tuple[str, ...]:
        """Read a list of different words, each one of the known (None: any); empty only where said."""
        allowed = "a list of " + ("words" if known is None else ", ".join(known))
        items = self._items(key, allowed, empty)
        return tuple(value for value in items if self._is_word(key, value, known, allowed))

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """Read a list, not empty and never falling, of whole numbers within bounds."""
        allowed = f"a list of whole numbers from {low} to {high}, none smaller than the one before"
        items = self._items(key, allowed, False, repeats=True)
        numbers = tuple(self._whole(key, value, low, high, allowed) for value in items)
        if list(numbers) != sorted(numbers):
            self.report(key, "falls", allowed)
        return numbers

    def table(self, key: str, allowed: str, *, optional: bool = False) -> "Reader":
        """Read a table below this one."""
        value = self.take(key, allowed, {} if optional else MISSING)
        return Reader(value, self.problems, self._name(key))

    def only(self, known: Sequence[str], every: bool = False) -> tuple[str, ...]:
        """Return the keys that are known and report the others; with `every` also the known ones missing."""
        for key in self.keys():
            if key not in known:
                self._unknown(key, known)
        for name in known if every and self.is_table else ():
            if name not in self._content:
                self.report(name, "is missing", f"a value for each of {', '.join(known)}")
        return tuple(name for name in known if name in self._content)

    def close(self) -> None:
        """Report every key that was not read."""
        for key in self.keys():
            if key not in self._read:
                self._unknown(key, sorted(self._read))

    def _unknown(self, key: str, known: Sequence[str]) -> None:
        """Report a key that nobody reads, with the one that was probably meant."""
        near = get_close_matches(key, known, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        self.report(key, f"is not known here{meant}", "one of " + ", ".join(known))

    def _name(self, key: str) -> str:
        """Write a key of this table with the tables that it stands in."""
        return ".".join(part for part in (self.prefix, key) if part)

    def _whole(self, key: str, value: object, low: int, high: int, allowed: str) -> int:
        """Check one whole number; a truth value is none."""
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.report(key, f"is {value!r}", allowed)
            return low
        return value

    def _items(self, key: str, allowed: str, empty: bool, *, repeats: bool = False) -> list[Any]:
        """Read a list."""
        value = self.take(key, allowed)
        if value is MISSING:
            return []
        if not isinstance(value, list | tuple):
            self.report(key, f"is {value!r}", allowed)
            return []
        if not value and not empty:
            self.report(key, "is empty", allowed)
        if not repeats and len({repr(item) for item in value}) < len(value):
            self.report(key, "says something twice", allowed)
        return list(value)

    def _is_word(self, key: str, value: object, known: Iterable[str] | None, allowed: str) -> bool:
        """Check one word of a list."""
        if isinstance(value, str) and value and (known is None or value in known):
            return True
        self.report(key, f"has {value!r}", allowed)
        return False
