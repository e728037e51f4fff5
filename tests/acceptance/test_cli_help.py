"""Help and completion: every event has its command, every command its example, and none of it opens the database."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from refundflow.cli.app import application
from states.decide import EVENTS
from states.line import FACTS
from tests.acceptance.desk import Desk

HEAVY = ("sqlmodel", "sqlalchemy", "alembic", "cryptography", "statemachine", "psycopg")
OF_THE_SYSTEM = {"handed_to_finance", "warned"}
OTHER_WORDS = {
    "usage_recorded": "record-usage",
    "completed": "record-completed",
    "captured": "record-captured",
    "paid": "orders import",
    "validity": "orders import",
    "effect_discarded": "effects discard",
}


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with the words that call it."""
    found: Any = group or get_command(application())
    for name, command in found.commands.items():
        words = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


COMMANDS = dict(commands())


def loaded_by(code: str, **environment: str) -> list[str]:
    """Run Python code in a fresh process and return the heavy modules that it imported."""
    told = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}\nprint(json.dumps(list(sys.modules)), file=sys.stderr)"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=True,
    )
    modules = json.loads(told.stderr.splitlines()[-1])
    return [name for name in modules if name in HEAVY]


def calling(*words: str) -> str:
    """Write the code that runs the command line with these words."""
    return (
        f"sys.argv = {['refundflow', *words]!r}\nfrom refundflow.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )


@pytest.mark.parametrize("words", [("--help",), ("submit", "--help"), ("audit", "verify", "--help"), ("--version",)])
def test_help_does_not_import_the_database_layer(words: tuple[str, ...]) -> None:
    """Help is quick: nothing heavy is imported for it."""
    assert loaded_by(calling(*words)) == []


def test_completion_does_not_import_the_database_layer() -> None:
    """Completion in the shell is quick, and knows the codes."""
    completing = {
        "_REFUNDFLOW_COMPLETE": "complete_bash",
        "COMP_WORDS": "refundflow submit --reason WR",
        "COMP_CWORD": "3",
    }

    assert loaded_by(calling(), **completing) == []
    told = subprocess.run(
        [sys.executable, "-c", "from refundflow.cli import main; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, **completing},
        timeout=60,
        check=True,
    )
    assert told.stdout.split() == ["WRONG_FACE_VALUE", "WRONG_PRODUCT"]


def test_importing_the_package_does_not_import_the_database_layer() -> None:
    """`import refundflow` alone is quick; the facade is imported when it is first asked for."""
    assert loaded_by("import refundflow") == []
    assert "sqlmodel" in loaded_by("import refundflow\nrefundflow.Refunds")


@pytest.mark.parametrize("event", sorted({*EVENTS, *FACTS} - OF_THE_SYSTEM))
def test_every_event_has_its_command(event: str) -> None:
    """Every event of the workflow that a caller can cause, or be refused, is a command with dashes."""
    assert OTHER_WORDS.get(event, event.replace("_", "-")) in COMMANDS


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(words: str) -> None:
    """Every command and every option of it says what it does, and the command shows an example."""
    command = COMMANDS[words]
    first = command.help.split("\n\n")[0]
    example = command.epilog.removeprefix("Example: ").split(" > ")[0]

    assert first.endswith(".")
    assert example.startswith(f"refundflow {words}")
    assert all(parameter.help for parameter in command.params)


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_an_example_is_accepted_by_its_command(words: str) -> None:
    """Nothing in an example is a usage error."""
    command = COMMANDS[words]
    example = command.epilog.removeprefix("Example: ").split(" > ")[0]
    own = shlex.split(example)[1 + len(words.split()) :]

    command.make_context(words, own)


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - {"metrics"}))
def test_who_acts_and_json_are_taken_everywhere(words: str) -> None:
    """A caller who says --as and --json with every command is understood by every command."""
    taken = {option for parameter in COMMANDS[words].params for option in parameter.opts}

    assert {"--as", "--json"} <= taken


@pytest.mark.parametrize("words", COMMANDS)
def test_help_is_as_wide_as_the_terminal(words: str) -> None:
    """Lines end where the terminal does, not where those of the source did."""
    paragraphs = (COMMANDS[words].help or "").split("\n\n")

    assert not any("\n" in paragraph.strip() for paragraph in paragraphs)


def test_help_names_the_exit_statuses(desk: Desk) -> None:
    """The help of the whole names every exit status."""
    result = desk.run("--help")

    assert result.exit_code == 0
    assert "130 interrupted" in " ".join(result.stdout.split())
