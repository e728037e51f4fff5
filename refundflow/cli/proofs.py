"""Commands of the log: its keys, checkpoints and proofs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from refundflow import config
from refundflow.cli import files, output
from refundflow.cli.call import PLAIN, READ, Call, command
from refundflow.cli.progress import counting
from refundflow.render import document

if TYPE_CHECKING:
    from refundflow.values import Checkpoint, LogKey

app = typer.Typer()
keys_app = typer.Typer(help="The keys that sign checkpoints.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
TIMED = ("actor", "at", "as_json")
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="The file to write; else it is printed.")
]
Keys = Annotated[
    list[str],
    typer.Option("--key", metavar="VKEY", help="A verifying key that you trust, NAME+ID+BASE64; may be repeated."),
]


@command(app, "refundflow audit checkpoint", takes=TIMED)
def checkpoint(call: Call) -> None:
    """Make a checkpoint over every entry so far, sign and publish it; where nothing is new, show the newest."""
    with call.connected() as refunds, counting("numbering entries") as progress:
        made = refunds.checkpoint(at=call.at, progress=progress)
        keys = refunds.keys()
    if made.note is None:
        output.talk(f"nobody has signed it: {_how_to_sign(keys)}")
    _print_checkpoints(call, [made], one=True)


@command(app, "refundflow audit checkpoints --limit 10", takes=PLAIN)
def checkpoints(
    call: Call,
    limit: Annotated[int, typer.Option(metavar="COUNT", min=1, max=100_000, help="How many of the newest.")] = 20,
) -> None:
    """List the newest checkpoints."""
    with call.connected() as refunds:
        _print_checkpoints(call, refunds.checkpoints(limit=limit))


@command(app, "refundflow audit prove A1001-1-1:3 -o proof.json --as auditor:sun", takes=READ)
def prove(
    call: Call,
    place: Annotated[
        str,
        typer.Argument(
            metavar="ID[:SEQ]", help="A refund, an order line (A1001/1) or a register (staff, calendar, keys, privacy)."
        ),
    ],
    path: Output = None,
) -> None:
    """Prove that an entry, or each of a chain, is in the log; `audit check` needs no database for the file."""
    subject, colon, seq = place.rpartition(":")
    if not (colon and seq.isascii() and seq.isdigit()):
        subject, seq = place, ""
    with call.connected() as refunds:
        _write(call, refunds.prove(subject, int(seq) if seq else None, **call.who), path)


@command(app, "refundflow audit consistency 120 250 -o consistency.json", takes=PLAIN)
def consistency(
    call: Call,
    first: Annotated[int, typer.Argument(metavar="A", help="The size of the earlier checkpoint.")],
    second: Annotated[int, typer.Argument(metavar="B", help="The size of the later checkpoint.")],
    path: Output = None,
) -> None:
    """Prove that the log at one checkpoint begins with what it was at an earlier one."""
    with call.connected() as refunds:
        _write(call, refunds.consistency(first, second), path)


@command(app, 'refundflow audit check proof.json --key "$(cat log.vkey)"', takes=PLAIN)
def check(
    call: Call,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A proof, or a checkpoint.")],
    key: Keys,
) -> None:
    """Check a proof or a checkpoint without the database; exit status 8 if it does not hold."""
    from refundflow.proof import VerifyingKey
    from refundflow.proof import check as checked

    told = document(checked(files.text(path), [VerifyingKey.parse(item) for item in key]))
    if call.as_json:
        output.data(told)
    else:
        output.record([(name, value) for name, value in told.items() if value not in (None, 0)])


@command(keys_app, "refundflow audit keys create --origin refunds.example/shop --as supervisor:zhao", takes=TIMED)
def create(
    call: Call,
    origin: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name of the log, once and for ever; else it follows from the database."),
    ] = None,
) -> None:
    """Make a key in the file that REFUNDFLOW_SIGNING_KEY names, and register it; one that is there is registered."""
    with call.connected() as refunds:
        _print_keys(call, [refunds.key_create(actor=call.who["actor"], origin=origin, at=call.at)])


@command(keys_app, "refundflow audit keys list", name="list", takes=PLAIN)
def list_keys(call: Call) -> None:
    """List every key that is or was registered."""
    with call.connected() as refunds:
        _print_keys(call, refunds.keys())


@command(keys_app, "refundflow audit keys rotate --as supervisor:zhao", takes=TIMED)
def rotate(call: Call) -> None:
    """Let a new key take the place of the one in use; both sign one checkpoint, so that the old vouches for the new."""
    with call.connected() as refunds:
        _print_keys(call, [refunds.key_rotate(actor=call.who["actor"], at=call.at)])


@command(keys_app, "refundflow audit keys retire 3f2a01bc --as supervisor:zhao", takes=TIMED)
def retire(
    call: Call,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key, whole or by its id.")],
) -> None:
    """Let a key sign no more; what it signed stays signed."""
    with call.connected() as refunds:
        _print_keys(call, [refunds.key_retire(key, actor=call.who["actor"], at=call.at)])


def _how_to_sign(keys: "Sequence[LogKey]") -> str:
    if any(key.until is None for key in keys):
        return f"the key is elsewhere; set {config.SIGNING_KEY} to its file, or run this where it lies"
    return "create a key with refundflow audit keys create"


def _print_checkpoints(call: Call, made: "Sequence[Checkpoint]", *, one: bool = False) -> None:
    if call.as_json:
        told = [document(item) for item in made]
        output.data(told[0] if one else told)
        return
    output.table(
        ("size", "made at", "root", "signed"),
        [(item.size, document(item)["made_at"], item.root, "no" if item.note is None else "yes") for item in made],
    )


def _print_keys(call: Call, keys: "Sequence[LogKey]") -> None:
    if call.as_json:
        output.data([document(key) for key in keys])
        return
    output.table(("key", "status"), [(key.vkey, "active" if key.until is None else "retired") for key in keys])


def _write(call: Call, proof: Mapping[str, Any], path: Path | None) -> None:
    """Write a proof to a file that appears whole, or print it."""
    if path is None:
        output.data(proof)
        return
    from refundflow.export.whole_file import whole_file

    with whole_file(str(path)) as file:
        file.write(json.dumps(proof, ensure_ascii=False, indent=1).encode() + b"\n")
    if call.as_json:
        output.data({"format": proof["format"], "output": str(path)})
    else:
        output.talk(f"written to {path}")
