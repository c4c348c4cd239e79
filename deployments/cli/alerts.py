"""`busytime alerts`: shows whether alarms reach those who are to get them."""

import platform
from typing import Any

import typer

from busytime.alarm_words import trial
from busytime.errors import ConfigurationError
from config.settings import load_settings
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json, show_help
from deployments.cli.running import waiting
from tasks.receiver_faults import Fault
from tasks.receivers import Receiver, open_receivers, send

commands = typer.Typer(help="Alarms: shows whether they reach their receivers.", invoke_without_command=True, callback=show_help)


@commands.command("test")
def send_trial(as_json: JsonOption = False) -> None:
    """Send one test message to each receiver of alarms, and tell which of them took it, and why another did not.

    Exit status 0: all of them; 3: some; 1: none; 2: no receiver is set, or an address is none.

    Example: busytime alerts test
    """
    receivers = open_receivers(load_settings())
    if not receivers:
        raise ConfigurationError(
            "No receiver of alarms is set: write alarm_urls into busytime.toml; docs/operations.md, section Alarms, has examples."
        )
    message = trial(platform.node())
    with waiting("Sending a test message to each receiver ...", quiet=as_json):
        ended = send(dict.fromkeys(receivers, message))
    if as_json:
        print_json({"receivers": [_as_object(receiver, fault) for receiver, fault in ended.items()]})
    else:
        for receiver, fault in ended.items():
            said = f"[red]not sent[/]: {fault}. {fault.next}" if fault else "[green]sent[/]"
            output().print(f"{receiver}: {said}", soft_wrap=True)
    finish(_status([fault is None for fault in ended.values()]))


def _as_object(receiver: Receiver, fault: Fault | None) -> dict[str, Any]:
    told = {"position": receiver.position, "kind": receiver.kind, "sent": fault is None}
    return told | ({"fault": fault.kind, "http_status": fault.http_status} if fault else {})


def _status(taken: list[bool]) -> ExitStatus:
    if all(taken):
        return ExitStatus.DONE
    return ExitStatus.NEEDS_ATTENTION if any(taken) else ExitStatus.FAILED
