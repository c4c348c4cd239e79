"""What commands print: results on standard output, messages on standard error, and the exit status."""

import json
import os
import re
import sys
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    BreakerOpenError,
    BusyTimeError,
    ConfigurationError,
    KeyMissingError,
    NoConnectionError,
    Reason,
    UnsafePlanError,
)
from busytime.granting import showable
from busytime.outcomes import LOGON_REASONS

#: What most addresses and keys fit in; other columns break first.
_NAME_WIDTH = 30

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]


class ExitStatus(IntEnum):
    """What the exit status of a command means."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    NEEDS_ATTENTION = 3
    REFUSED_BY_GATE = 4
    NO_LOGON = 5


_NO_LOGON = (AuthenticationError, BreakerOpenError, AllowanceUsedUpError, KeyMissingError, NoConnectionError)


def exit_status(error: BusyTimeError) -> ExitStatus:
    """Return the exit status for an error that ended a command."""
    if isinstance(error, _NO_LOGON):
        return ExitStatus.NO_LOGON
    if isinstance(error, UnsafePlanError):
        return ExitStatus.REFUSED_BY_GATE
    return ExitStatus.WRONG_USE if isinstance(error, ConfigurationError) else ExitStatus.FAILED


def exit_status_of_reason(reason: Reason | None) -> ExitStatus:
    """Return the exit status for a run that was refused or failed."""
    if reason in {Reason.GATE_CLOSED, Reason.DATABASE_RESTORED}:
        return ExitStatus.REFUSED_BY_GATE
    return ExitStatus.NO_LOGON if reason in LOGON_REASONS else ExitStatus.FAILED


def output() -> Console:
    """Return the console for results; made when it is used, because tests and pipes replace the stream."""
    return Console(file=sys.stdout, highlight=False)


def messages() -> Console:
    """Return the console for progress and messages."""
    return Console(file=sys.stderr, highlight=False)


def forget_unread() -> None:
    """Let go nowhere what nobody reads any more: Python would try once more at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def print_json(value: Any) -> None:
    """Print one JSON object; instants as RFC 3339."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def rfc3339(instant: datetime) -> str:
    """Write an instant with its own offset, to the second."""
    return instant.isoformat(timespec="seconds")


def clock(instant: datetime | None) -> str:
    """Write an instant for people, in UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if instant else "never"


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Return a table in the house's style."""
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 3, 0, 0)
    return table


def keep_names(table: Table, *numbers: int) -> None:
    """Let columns of names keep their width and never be cut: somebody has to find what they name."""
    for number in numbers:
        column = table.columns[number]
        column.overflow = "fold"
        column.min_width = min(_NAME_WIDTH, max((cell_len(str(cell)) for cell in column.cells), default=0))


def shown(name: str) -> str:
    """Return a name from outside as it is: no markup in it works, and nothing in it breaks the line."""
    return escape(showable(name))


def marked(text: str) -> str:
    """Return a text in which a command stands between backticks, with the command in bold."""
    return re.sub("`([^`]+)`", "[bold]\\1[/]", escape(text))


def show_help(context: typer.Context) -> None:
    """Show what there is when no command is named."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def finish(status: ExitStatus) -> None:
    """End the command with a status other than 0."""
    if status is not ExitStatus.DONE:
        raise typer.Exit(int(status))
