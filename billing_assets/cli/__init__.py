"""The command line `billing`: the only part that knows Typer and Rich; one file per command."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from billing_assets.cli.panics import held_back
from billing_assets.errors import BillingError

INTERRUPTED = 130
TRACEBACK = "--traceback"
DAGSTER_INTERRUPT = "DagsterExecutionInterruptedError"
"""What Dagster makes of Ctrl-C inside a step; by name, since only defs/ knows Dagster."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Errors become one message on stderr, each with its own exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with held_back(shown=TRACEBACK in given):
        return _main(given)


def _main(given: list[str]) -> int:
    with_traceback = TRACEBACK in given
    try:
        code = _run(given)
        return _interrupted() if code == INTERRUPTED else code
    except BillingError as error:
        if with_traceback:
            traceback.print_exc()
        _say(f"billing: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        _drop_unwritten()
        return 141  # as a shell reports a process that SIGPIPE ended
    except OSError as error:
        if with_traceback:
            traceback.print_exc()
        _drop_unwritten()
        _say(f"billing: {error.filename or 'the output'}: {error.strerror or error}")
        return 3
    except BaseException as error:  # a panic of Polars or Delta is no Exception
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        if type(error).__name__ == DAGSTER_INTERRUPT:
            return _interrupted()
        if with_traceback:
            traceback.print_exc()
        _say(f"billing: unexpected {type(error).__name__}: {_first_line(error)}")
        if not with_traceback:
            _say("billing: run the command again with --traceback to see where it comes from")
        return 3


def _run(arguments: list[str]) -> int:
    """The exit code of the application; usage errors and --help end inside it."""
    from billing_assets.cli.commands import app

    try:
        app(arguments, prog_name="billing", standalone_mode=True)
    except SystemExit as ending:
        code = ending.code
        sys.stdout.flush()
        return code if isinstance(code, int) else 0 if code is None else 3
    return 0


def _interrupted() -> int:
    _say("billing: interrupted; the same command again finishes what was begun")
    return INTERRUPTED


def _drop_unwritten() -> None:
    """What the standard output could not take, so that the end of the process does not fail at it again."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["(no message)"])[0]


def _say(message: str) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)
