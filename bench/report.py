"""The page of the benchmark: sections of one table each, and what it was measured on."""

import os
import platform
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from refundflow import __version__


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table with its title, and what must be known to read it; cells from the third column on are figures."""

    title: str
    about: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 2  # columns that are no figures


def page(sections: Sequence[Section], command: str, size: str, versions: Mapping[str, str]) -> str:
    """Write the whole page."""
    parts = [f"# Benchmark\n\nWritten by `{command}`: {size}.\n\n{_INTRO}"]
    parts += [f"## {section.title}\n\n{section.about}\n\n{table(section)}" for section in sections]
    parts.append(f"## Measured on\n\n{machine(versions)}")
    return "\n\n".join(parts) + "\n"


def table(section: Section) -> str:
    """Write a section's table."""
    rule = ["---"] * section.names + ["---:"] * (len(section.head) - section.names)
    return "\n".join(f"| {' | '.join(line)} |" for line in (section.head, rule, *section.rows))


def machine(versions: Mapping[str, str]) -> str:
    """Write what it was measured on."""
    ours = {
        "Python": platform.python_version(), "refundflow": __version__, "SQLite": sqlite3.sqlite_version,
        "psycopg": version("psycopg"), "SQLAlchemy": version("SQLAlchemy"),
    }  # fmt: skip
    named = ", ".join(f"{name} {number}" for name, number in (ours | dict(versions)).items())
    return (
        f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, "
        f"{platform.system()} {platform.machine()}. {named}."
    )


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


_INTRO = """\
How fast a move is, against the same rows written by hand and against what else one would take. Everything of one table
was measured in one run, in turn, each way in a process of its own: a round is a few moves of each, the first round is
not counted. Times are medians in milliseconds, in brackets what nine of ten did not exceed; a ratio is the median over
the rounds of the ratio of both medians of a round. CPU is that of the process itself, not of the server. On a busy
machine all ways wait for the disk and the ratios of wall times fall: believe them at a load of about 1, and those of
CPU always."""
