"""The `sidwatch` command.

Exit status: 0 done, 1 the answer is no, 2 usage, 65 bad input data, 75 locked or temporary, 78 bad configuration.
An error is one line that says what to do. Modules of commands are imported by name, and what is heavy inside the
commands, so that `status` is quick.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys

import typer

from daemon import __version__
from daemon.commands.by_name import CommandsByName
from daemon.errors import SidwatchError

# Of the click that this typer uses: newer ones carry their own, whose classes are not those of `click`.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]

# What passes when room is made: disk full, quota, too many open files.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)

app = typer.Typer(
    name="sidwatch",
    cls=CommandsByName,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Keeps a detector of synthetic images honest while new image generators keep being released.",
    epilog="Start with `sidwatch demo`: the whole story on simulated pictures, in under three minutes.",
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"sidwatch {__version__}\n")
        raise typer.Exit


@app.callback()
def _main(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it.")) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; never a traceback for what a person can mend."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text; in JSON what is written for such a sign is its escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    # What is left at the end goes with the process: the interpreter need not look through all of it for garbage, which
    # takes an eighth of a short command's time.
    atexit.register(gc.freeze)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit status."""
    try:
        result = app(arguments, standalone_mode=False)
    except typer.Exit as stopped:
        return stopped.exit_code
    except _UsageError as error:
        message = error.format_message()  # empty when nothing was asked for: typer has printed the help by then
        return _complain(message, error.exit_code) if message else int(error.exit_code)
    except typer.Abort:
        return _complain("stopped", 130)
    except SidwatchError as error:
        return _complain(str(error), error.exit_status)
    except UnicodeEncodeError:
        wrong = next((one for one in arguments if not _is_text(one)), None)
        if wrong is None:
            raise
        return _complain(f"{wrong!r} is no UTF-8 text; write it as UTF-8", 65)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at exit
        return 0
    except OSError as error:
        status = 75 if error.errno in _PASSING else 65
        return _complain(f"{error.filename or 'the system'}: {error.strerror or error}", status)
    except KeyboardInterrupt:
        return _complain("stopped", 130)
    return result if isinstance(result, int) else 0


def _is_text(argument: str) -> bool:
    """Whether the bytes on the command line were UTF-8; names of files need not be, what is stored must."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _complain(message: str, status: int) -> int:
    # A message may name what is in an untrusted file: nothing of it may steer the terminal.
    one_line = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in " ".join(message.split()))
    sys.stderr.write(f"sidwatch: {one_line}\n")
    return status
