"""`busytime demo`: the whole loop against the sandbox, from nothing, with nothing left behind."""

import json
from contextlib import ExitStack

from deployments.cli.demo.harvesting import show_harvests
from deployments.cli.demo.pushing import show_pushes
from deployments.cli.demo.stage import Sandbox, Story, empty_home, running_sandbox, show_log
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json
from deployments.cli.running import waiting
from deployments.prefect_server import prefect_server
from tasks.workspace import workspace


def demo(as_json: JsonOption = False) -> None:
    """Show the whole loop against a local Exchange: harvests, free slots, bookings, and what can go wrong with them.

    Example: busytime demo
    """
    screen = output()
    story = Story(screen, quiet=as_json)
    if not as_json:
        screen.print("\n[bold]busytime demo[/]: one mailbox reads everybody's busy time, and enters bookings\n")
    with empty_home() as directory, running_sandbox() as process, ExitStack() as ending:
        office = workspace()
        try:
            with waiting("Starting a local Exchange and Prefect's server ...", quiet=as_json):
                ending.enter_context(prefect_server(office.settings.home / "prefect"))
                line = process.stdout.readline() if process.stdout else ""
            exchange = Sandbox(json.loads(line))
            slots = show_harvests(story, office, exchange, directory)
            show_pushes(story, office, exchange, directory, slots)
            show_log(story, exchange)
        finally:
            office.close()
            workspace.cache_clear()
    if as_json:
        print_json({"steps": story.steps, "good": story.good})
    elif story.good:
        screen.print("\nAll of it was real: HTTP, TLS, Exchange's protocol, Prefect runs, a database.")
        screen.print("Nothing is left running. Next: [bold]busytime sandbox[/] to play by hand, or")
        screen.print("connect your own mailbox as the README tells.\n")
    finish(ExitStatus.DONE if story.good else ExitStatus.FAILED)
