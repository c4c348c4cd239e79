"""The `busytime` command: its commands, and what an error means for the exit status."""

import os
import sys
import traceback
from contextlib import suppress

import typer
from rich.markup import escape

from busytime.diagnoses import with_section
from busytime.errors import BusyTimeError
from config.settings import unknown_variables
from deployments.cli import (
    alerts,
    audit,
    audit_export,
    audit_report,
    bookings,
    connect,
    database,
    disconnect,
    discover,
    forget,
    free,
    harvest,
    keys,
    maintain,
    password,
    push,
    resync,
    roster,
    sandbox,
    serve,
    status,
    validate,
)
from deployments.cli.demo import command as demo
from deployments.cli.output import ExitStatus, exit_status, forget_unread, messages, show_help

#: What shells expect of a command that Ctrl-C ended.
_INTERRUPTED = 130

app = typer.Typer(
    name="busytime",
    help="Run a company's calendars through one Exchange mailbox.",
    invoke_without_command=True,
    callback=show_help,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(sandbox.sandbox)
app.command()(connect.connect)
app.command()(disconnect.disconnect)
app.command()(password.password)
app.command()(resync.resync)
app.add_typer(roster.commands, name="roster")
app.command()(discover.discover)
app.command()(validate.validate)
app.command()(validate.advise)
app.command()(harvest.harvest)
app.add_typer(bookings.commands, name="bookings")
app.command()(push.push)
app.command()(free.free)
app.command()(status.status)
app.command()(serve.serve)
app.command()(maintain.maintain)
app.command()(forget.forget)
audit.commands.command("export")(audit_export.export_views)
audit.commands.command("report")(audit_report.report)
app.add_typer(audit.commands, name="audit")
app.add_typer(database.commands, name="db")
app.add_typer(keys.commands, name="keys")
app.add_typer(alerts.commands, name="alerts")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; who has read enough of it may stop, as `head` does."""
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # Typer and rich make an exit with status 1 of a reader who has gone.
        if not any(isinstance(cause, BrokenPipeError) for cause in (error, error.__context__)):
            raise
        status = int(ExitStatus.DONE)
    forget_unread()
    return status


def _run(arguments: list[str] | None) -> int:
    """Run one command; every error becomes one message that says what to do next."""
    for unknown in unknown_variables():
        messages().print(f"[yellow]Ignored[/]: {escape(unknown)}", soft_wrap=True)
    try:
        status = int(app(arguments, standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "busytime"
        return _say(f"{error.format_message().rstrip('.')}. See `{command} --help`.", ExitStatus.WRONG_USE)
    except BusyTimeError as error:
        return _say(with_section(str(error), error.reason), exit_status(error))
    except Exception as error:  # noqa: BLE001 -- the last line of defence: no traceback on a user's screen
        if os.environ.get("BUSYTIME_DEBUG"):
            traceback.print_exc()
        text = f"unexpected {type(error).__name__}. Run it again with BUSYTIME_DEBUG=1 and report what it prints."
        return _say(text, ExitStatus.FAILED)
    # Typer makes this status of Ctrl-C by itself.
    return _say("Stopped. Nothing is half-written; run the command again to go on.", status) if status == _INTERRUPTED else status


def _say(message: str, status: int) -> int:
    with suppress(SystemExit):  # rich ends the process where nobody reads; the status says it all the same
        messages().print(f"[bold red]busytime:[/] {escape(message)}", soft_wrap=True)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
