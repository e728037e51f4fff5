"""The command line as tests use it: a prepared rehearsal database and the commands typed against it."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from refundflow.cli.app import application

HEADER = (
    "order_id,buyer_id,product_type,product,usage,amount_minor,currency,channel,payment_no,paid_at,completed_at,"
    "line,valid_from,valid_to"
)
ORDERS = (
    "A1,b-17,game_card,Card 100,unused,10000,CNY,fake,pay-1,2026-03-02T09:00:00+08:00,2026-03-02T09:00:05+08:00,1,,",
    "A2,b-17,membership,Gold,unused,240000,CNY,fake,pay-2,2026-03-02T09:00:00+08:00,2026-03-02T09:00:05+08:00,1,,",
    "A3,b-18,virtual_hosting,Small,partly_used,30000,CNY,fake,pay-3,2026-03-02T09:00:00+08:00,"
    "2026-03-02T09:00:05+08:00,1,2026-03-02T00:00:00+08:00,2026-04-01T00:00:00+08:00",
    "A4,b-18,phone_topup,Top-up 50,used,5000,CNY,fake,pay-4,2026-03-02T09:00:00+08:00,2026-03-02T09:00:05+08:00,1,,",
    "A5,b-19,gift_card,Gift 20,activated,2000,CNY,fake,pay-5,2026-03-02T09:00:00+08:00,2026-03-02T09:00:05+08:00,1,,",
    "A6,b-19,game_item,Sword,unused,900,CNY,fake,pay-6,2026-03-02T09:00:00+08:00,,1,,",
)
START = "2026-03-03T09:00:00+08:00"  # a Tuesday


@dataclass(kw_only=True)
class Desk:
    """Types commands; a command is one line as in a shell, or its words."""

    url: str
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> Result:
        """Run one command and return everything that it left."""
        settings: dict[str, str | None] = {"REFUNDFLOW_ACTOR": None, "REFUNDFLOW_POLICY": None, "TERMINAL_WIDTH": None}
        return CliRunner().invoke(
            application(),
            shlex.split(command),
            env={**settings, **self.env, "REFUNDFLOW_DATABASE_URL": self.url, "COLUMNS": "200"},
            prog_name="refundflow",
        )

    def text(self, command: str) -> str:
        """Run a command that must be done, and return what it printed on stdout."""
        result = self.run(command)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, command: str) -> Any:
        """Run a command that must be done, and return the document that it printed."""
        return json.loads(self.text(f"{command} --json"))

    def refused(self, command: str, status: int) -> Any:
        """Run a command that must end with a status, and return the error as it is told to programs."""
        result = self.run(f"{command} --json")
        assert result.exit_code == status, (result.exit_code, result.stdout, result.stderr)
        assert result.stdout == ""
        return json.loads(result.stderr)

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder of the test."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def rehearsal(url: str, folder: Path) -> None:
    """Make a rehearsal database with six order lines, its time at `START`."""
    desk = Desk(url=url, folder=folder)
    desk.text("init --rehearsal")
    orders = desk.file("orders.csv", "\n".join([HEADER, *ORDERS]) + "\n")
    desk.text(f"orders import {orders} --as service:shop --at {START}")
