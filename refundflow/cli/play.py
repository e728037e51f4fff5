"""Commands that play: a month of a small marketplace, or real complaints, in a rehearsal database."""

import typer

app = typer.Typer()
