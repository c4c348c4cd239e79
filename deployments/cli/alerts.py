"""`busytime alerts`: shows whether alarms reach those who are to get them."""

import platform

import typer

from busytime.alarm_words import trial
from busytime.errors import ConfigurationError
from config.settings import load_settings
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json, show_help
from deployments.cli.running import waiting
from tasks.receivers import open_receivers, send

commands = typer.Typer(help="Alarms: shows whether they reach their receivers.", invoke_without_command=True, callback=show_help)


@commands.command("test")
def send_trial(as_json: JsonOption = False) -> None:
    """Send one test message to each receiver of alarms, and tell which of them took it.

    Example: busytime alerts test
    """
    receivers = open_receivers(load_settings())
    if not receivers:
        raise ConfigurationError(
            "No receiver of alarms is set: write alarm_urls into busytime.toml; docs/operations.md, section Alarms, has examples."
        )
    message = trial(platform.node())
    with waiting("Sending a test message to each receiver ...", quiet=as_json):
        taken = send(dict.fromkeys(receivers, message))
    if as_json:
        print_json({"receivers": [{"position": it.position, "kind": it.kind, "sent": ok} for it, ok in taken.items()]})
    else:
        for receiver, ok in taken.items():
            output().print(f"{receiver}: {'[green]sent[/]' if ok else f'[red]not sent[/]. {_HELP}'}", soft_wrap=True)
    finish(_status(list(taken.values())))


_HELP = "Check its address in alarm_urls, its password, and whether it answers from this machine."


def _status(taken: list[bool]) -> ExitStatus:
    if all(taken):
        return ExitStatus.DONE
    return ExitStatus.NEEDS_ATTENTION if any(taken) else ExitStatus.FAILED
