"""One call of a command: who acts, on which database, and how the answer is written."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypedDict

import typer

from refundflow import config
from refundflow.cli import options
from refundflow.errors import BadInput, Refused

if TYPE_CHECKING:
    from refundflow.service import Refunds

P = ParamSpec("P")


class Who(TypedDict):
    """The keyword arguments that every query of the facade takes."""

    actor: str
    buyer: str | None
    at: datetime | None


class By(Who):
    """The keyword arguments that every act of the facade takes."""

    key: str | None


class Told(TypedDict):
    """The keyword arguments that every fact of an order line takes."""

    actor: str
    key: str | None
    at: datetime | None


@dataclass(kw_only=True)
class Call:
    """What the common options of one command say, and the database that it opened."""

    actor: str | None = None
    buyer: str | None = None
    key: str | None = None
    at: datetime | None = None
    as_json: bool = False
    _open: "Refunds | None" = field(default=None, init=False)

    @property
    def who(self) -> Who:
        """Say who asks, for whom, and when.

        Raises:
            BadInput: nobody is named.
        """
        if not self.actor:
            raise BadInput(f"say who acts: --as role:name, or set {config.ACTOR}", field="actor")
        return {"actor": self.actor, "buyer": self.buyer, "at": self.at}

    @property
    def by(self) -> By:
        """Say who acts, for whom, when, and with which key."""
        return {**self.who, "key": self.key}

    @property
    def told(self) -> Told:
        """Say who tells a fact of an order line, when, and with which key."""
        return {"actor": self.who["actor"], "key": self.key, "at": self.at}

    @contextmanager
    def connected(self, *, default_url: str = config.DEFAULT_URL) -> Iterator["Refunds"]:
        """Open the database of the environment; only here the database layer is imported."""
        settings = config.read(default_url=default_url)
        from refundflow.service import Refunds

        with Refunds.connect(
            settings.database_url,
            policy=settings.policy,
            signing_key=settings.signing_key,
            checkpoints=settings.checkpoints,
            synchronous=settings.synchronous,
        ) as refunds:
            self._open = refunds
            try:
                yield refunds
            except Refused as refusal:
                refusal.zone = self.zone
                raise

    @property
    def refunds(self) -> "Refunds":
        """Return the database that was opened."""
        if self._open is None:
            raise RuntimeError("asked before the database was opened")
        return self._open

    @property
    def zone(self) -> str:
        """Return the time zone of the policy, in which people are shown times."""
        return self.refunds.policy.zone

    @property
    def now(self) -> datetime:
        """Return the present moment of the database, in UTC: what is left of a deadline is counted from it."""
        return self.at or self.refunds.now()


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "actor": (options.As, None),
    "buyer": (options.For, None),
    "key": (options.Key, None),
    "at": (options.At, None),
    "as_json": (options.Json, False),
}
WRITE = ("actor", "buyer", "key", "at", "as_json")
FACT = ("actor", "key", "at", "as_json")
READ = ("actor", "buyer", "at", "as_json")
PLAIN = ("actor", "as_json")  # whoever asks gets the same; --as is taken everywhere


def command(
    app: typer.Typer,
    example: str,
    *,
    takes: Sequence[str] = WRITE,
    name: str | None = None,
    panel: str | None = None,
) -> Callable[[Callable[Concatenate[Call, P], None]], Callable[Concatenate[Call, P], None]]:
    """Register a function as a command: its own options first, the common ones of `takes` after them.

    The help is the docstring; `example` is a line that can be typed as it stands.
    """

    def register(function: Callable[Concatenate[Call, P], None]) -> Callable[Concatenate[Call, P], None]:
        @wraps(function)
        def run(**given: Any) -> None:
            call = Call(**{option: given.pop(option) for option in takes})
            function(call, **given)  # type: ignore[call-arg]

        _sign(run, function, takes)
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        told = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
        app.command(name, help=told, epilog=f"Example: {example}", rich_help_panel=panel)(run)
        return function

    return register


def _sign(run: Callable[..., None], function: Callable[..., None], takes: Sequence[str]) -> None:
    """Give `run` the signature that typer reads: the own options of the function, then the common ones."""
    own = list(inspect.signature(function).parameters.values())[1:]
    common = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in _OPTIONS.items()
        if option in takes
    ]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    signature = inspect.Signature([*keywords, *common])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
