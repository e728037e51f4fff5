"""How a command ends: errors in words or as JSON on stderr, and the exit status of each."""

import io
import logging
import os
import sys
import traceback
from collections.abc import Callable

import typer

from refundflow.cli import output
from refundflow.errors import INTERRUPTED, STATUS, RefundflowError
from refundflow.render import error_json, error_lines

TRACEBACK = "REFUNDFLOW_TRACEBACK"


def guarded(run: Callable[[], object], *, as_json: bool) -> int:
    """Run a command and return its exit status; whatever goes wrong is said on stderr."""
    try:
        status = run()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except RefundflowError as error:
        return _tell(error, as_json=as_json)
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        return reader_gone()
    except Exception as error:  # noqa: BLE001 - the last door: said in full, and a failing exit status
        return _unexpected(error, as_json=as_json)


def reader_gone() -> int:
    """End quietly when nobody reads what is printed any more, e.g. after ``| head -1``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return STATUS["FAILURE"].exit


def _tell(error: RefundflowError, *, as_json: bool) -> int:
    if as_json:
        _write(error_json(error))
    else:
        for line in error_lines(error):
            output.talk(line)
    return error.status.exit


def _unexpected(error: Exception, *, as_json: bool) -> int:
    usage = getattr(error, "format_message", None)  # typer's own errors; their classes are private
    code = "USAGE" if usage else "FAILURE"
    message = usage() if usage else f"{type(error).__name__}: {error}"
    if as_json:
        _write({"code": code, "message": message, "blockers": [], "possible": []})
    elif usage:
        _explain_usage(error, message)
    else:
        _explain_failure(error, message)
    return int(getattr(error, "exit_code", STATUS["FAILURE"].exit))


def _explain_failure(error: Exception, message: str) -> None:
    """Say what should not have happened in one line; where it happened only to who asks for it."""
    if os.environ.get(TRACEBACK):
        output.talk("".join(traceback.format_exception(error)))
    output.talk(f"FAILURE: {message.splitlines()[0]}")
    output.talk(f"this should not have happened; {TRACEBACK}=1 shows where it did")


def _explain_usage(error: Exception, message: str) -> None:
    context = getattr(error, "ctx", None)
    if message:
        output.talk(f"usage error: {message}")
    if context is not None and message:
        output.talk(f"try: {context.command_path} --help")


def _write(document: object) -> None:
    output.talk(output.as_json(document, sys.stderr))


def forgiving() -> None:
    """Print each line at once, and what the locale cannot write as escapes; PostgreSQL's driver says only errors.

    It warns of each statement that is broken off behind one that failed, which is told anyway.
    """
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
