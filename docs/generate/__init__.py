"""Generates the pages of ``docs/reference``: each is a pure function of the code that it documents."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from docs.generate import chart, codes, commands, documents, eligibility, policy, rehearsal

FOLDER = Path(__file__).parents[1] / "reference"
_PAGES = {
    "chart.md": chart.page,
    "cli.md": commands.page,
    "codes.md": codes.page,
    "eligibility.md": eligibility.page,
    "json.md": documents.page,
    "policy.md": policy.page,
    "rehearsal.md": rehearsal.page,
}
OF_RUNS = ("tampering.md", "tampering-export.md")  # pages that say what happened in a run; what runs writes them


def pages() -> Mapping[str, str]:
    """Return every generated page by its file name."""
    return {name: page() for name, page in _PAGES.items()}


def stale(folder: Path = FOLDER) -> Iterator[str]:
    """Yield the names of the pages that are missing or differ from what the code says."""
    for name, text in pages().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield name


def write(folder: Path = FOLDER) -> None:
    """Write every page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
