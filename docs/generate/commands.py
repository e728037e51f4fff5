"""The page of the command line: the ``--help`` of every command, as the command itself prints it."""

import os
import subprocess
import sys
from collections.abc import Iterator

from docs.generate.markdown import block
from docs.generate.markdown import page as whole_page

_TELL = """
import sys
from typer.main import get_command
from refundflow.cli.app import application

def walk(command, name, parent):
    context = command.make_context(name, ["--help"], parent=parent, resilient_parsing=True)
    yield context.command_path, context.get_help()
    for word in getattr(command, "commands", {}):
        yield from walk(command.commands[word], word, context)

for path, text in walk(get_command(application()), "refundflow", None):
    print("\\x1e" + path + "\\x1f" + text, end="")
"""


def page() -> str:
    """Return the page."""
    parts: list[str] = []
    for path, text in helps():
        parts += [f"{'##' if len(path.split()) < 3 else '###'} {path}", block("text", text)]
    return whole_page(
        "The command line",
        "Data goes to stdout, talk to stderr. In a pipe, rows are plain, uncut and separated by tabs. "
        "[JSON keys](json.md), [codes and exit status](codes.md).",
        *parts,
    )


def helps() -> Iterator[tuple[str, str]]:
    """Yield the path and the help of every command, as plain text of 80 columns."""
    plain = {**os.environ, "TYPER_USE_RICH": "0", "COLUMNS": "80", "PYTHONUTF8": "1"}
    told = subprocess.run(
        [sys.executable, "-c", _TELL], env=plain, capture_output=True, text=True, encoding="utf-8", check=True
    )
    for item in told.stdout.split("\x1e")[1:]:
        path, _, text = item.partition("\x1f")
        yield path, "\n".join(line.rstrip() for line in text.splitlines())
