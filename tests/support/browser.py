"""A real headless Chromium for tests of pages: it measures, takes pictures and prints."""

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NEEDED = "needs Chromium; on Debian: apt-get install chromium fonts-noto-cjk"
SECONDS = 90
_QUIET = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-default-apps", "--disable-extensions", "--hide-scrollbars",
)  # fmt: skip
# What the page says of itself once it is laid out in a frame of the asked width.
_MEASURE = """
function measure(view) {
  const page = view.contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("body *")].filter(
    item => !item.closest("svg") && item.getBoundingClientRect().right > root.clientWidth + 1);
  const spilt = [...page.querySelectorAll("svg .leaf")].filter(item => {
    const box = item.querySelector("rect").getBBox();
    return [...item.querySelectorAll("text")].some(text => text.getBBox().width > box.width);
  });
  const cut = [...page.querySelectorAll("svg text")].filter(item => {
    const box = item.getBBox(), all = item.ownerSVGElement.viewBox.baseVal;
    return box.x < -1 || box.x + box.width > all.width + 1;
  });
  return {
    inner: root.clientWidth, scroll: root.scrollWidth,
    wide: wide.map(item => item.tagName + "." + item.className + ": " + item.textContent.slice(0, 60)),
    spilt: spilt.map(item => item.textContent), cut: cut.map(item => item.textContent),
    styled: getComputedStyle(page.querySelector("main")).maxWidth,
    headings: [...page.querySelectorAll("h2")].filter(item => item.getClientRects().length).map(
      item => item.textContent),
  };
}
addEventListener("load", () => {
  const views = [...document.querySelectorAll("iframe")];
  document.querySelector("#told").textContent = JSON.stringify(views.map(measure));
});
"""
_TOLD = re.compile(r'<pre id="told">(.*?)</pre>', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Browser:
    """One installed Chromium; every call starts it anew, with a profile of its own."""

    program: str
    folder: Path

    def measured(self, page: str, widths: Sequence[int]) -> Sequence[Mapping[str, Any]]:
        """Lay a page out in frames of so many pixels and return what each measures; its own scripts never run."""
        frames = "".join(
            f'<iframe width="{width}" height="2000" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
            for width in widths
        )
        outer = f"<!doctype html><body><pre id=told></pre>{frames}<script>{_MEASURE}</script></body>"
        dumped = self._run("--dump-dom", "--window-size=1600,1200", self._file("outer.html", outer))
        found = _TOLD.search(dumped)
        assert found is not None and found[1], f"nothing was measured: {dumped[:200]}"
        told: Sequence[Mapping[str, Any]] = json.loads(html.unescape(found[1]))
        return told

    def picture(self, page: str, width: int, *, dark: bool = False) -> bytes:
        """Return a PNG of the top of a page."""
        path = self.folder / "picture.png"
        colours = [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        self._run(*colours, f"--window-size={width},1200", f"--screenshot={path}", self._file("page.html", page))
        return path.read_bytes()

    def printed(self, page: str) -> Path:
        """Print a page as PDF and return the file."""
        path = self.folder / "page.pdf"
        self._run("--no-pdf-header-footer", f"--print-to-pdf={path}", self._file("page.html", page))
        return path

    def _file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path.as_uri()

    def _run(self, *arguments: str) -> str:
        profile = self.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        rootless = [] if os.geteuid() else ["--no-sandbox"]
        done = subprocess.run(
            [self.program, *_QUIET, *rootless, f"--user-data-dir={profile}", *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout


def installed() -> str | None:
    """Return the path of an installed Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)
