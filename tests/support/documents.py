"""The documents of the project as blocks: what is executed, what it must print, what is only looked at."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXECUTED = ("python", "shell")
LOOKED_AT = ("console", "json", "mermaid", "output", "text", "toml")
SECONDS = 180
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHIM = '#!/bin/sh\nexec "{python}" -m refundflow "$@"\n'


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of code: where it begins, its language, its text, and where that text begins and ends."""

    line: int
    language: str
    text: str
    start: int
    end: int


def documents() -> list[Path]:
    """Return the README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a document in order."""
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(line=line, language=found[1], text=found[2], start=found.start(2), end=found.end(2))


def replayed(path: Path, folder: Path, environment: Mapping[str, str]) -> str:
    """Execute the blocks of a document one after the other in a folder; what one exports, the next ones see.

    Returns the document as it would be with what its blocks print now in its output blocks.

    Raises:
        AssertionError: a block fails.
    """
    (folder / ".environment").touch()
    text = path.read_text(encoding="utf-8")
    parts, reached, printed = [], 0, ""
    for block in blocks(text):
        if block.language in EXECUTED:
            printed = _execute(block, path, folder, environment)
        elif block.language == "output":
            parts += [text[reached : block.start], f"{printed.rstrip()}\n"]
            reached = block.end
    return "".join([*parts, text[reached:]])


def _execute(block: Block, path: Path, folder: Path, environment: Mapping[str, str]) -> str:
    script = folder / f".block-{block.line}"
    script.write_text(block.text, encoding="utf-8")
    runner = f'"{sys.executable}" {script.name}' if block.language == "python" else f"source ./{script.name}"
    line = f"set -euo pipefail; source ./.environment; {runner}; export -p > .environment"
    ran = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=_environment(folder, environment), capture_output=True, text=True,
        encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    said = f"{path.name}:{block.line} ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    assert ran.returncode == 0, said
    return ran.stdout


def _environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return a clean environment with the `refundflow` of the running interpreter on its path."""
    own = Path(sys.executable).parent
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("REFUNDFLOW_", "COV_"))}
    python_path = os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    if not (own / "refundflow").exists():
        own = _shim(folder)
    return clean | {"PATH": f"{own}{os.pathsep}{clean['PATH']}", "PYTHONPATH": python_path, "PYTHONUTF8": "1", **extra}


def _shim(folder: Path) -> Path:
    """Stand in for the installed command where the package is used without being installed."""
    home = folder / ".bin"
    home.mkdir(exist_ok=True)
    command = home / "refundflow"
    command.write_text(_SHIM.format(python=sys.executable), encoding="utf-8")
    command.chmod(0o755)
    return home
