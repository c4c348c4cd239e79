"""`busytime sandbox`: the local Exchange by itself."""

from typing import Annotated

import typer

from busytime.errors import ConfigurationError
from deployments.sandbox.options import SandboxOptions, read_ics
from deployments.sandbox.rights import RightsStyle


def sandbox(
    port: Annotated[int, typer.Option(help="EWS port; 0 picks a free one.")] = 8443,
    control_port: Annotated[int, typer.Option(help="Port of the control interface; 0 picks a free one.")] = 8444,
    owners: Annotated[int, typer.Option(min=0, max=1_000_000, help="How many owners to make up.")] = 25,
    seed: Annotated[int, typer.Option(help="The same seed makes the same organisation.")] = 1,
    ics: Annotated[list[str] | None, typer.Option(help="FILE=OWNER: load an iCalendar file; may be repeated.")] = None,
    rights_style: Annotated[RightsStyle, typer.Option(help="How folder rights are told.")] = RightsStyle.EXCHANGE,
    lock_after: Annotated[int, typer.Option(min=0, help="Lock an account after so many refused log-ons; 0 = never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Say how to connect as one JSON object.")] = False,
    exit_with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run a local Exchange with a made-up organisation, until it is stopped.

    Example: busytime sandbox --owners 100
    """
    try:
        files = tuple(read_ics(value) for value in ics or ())
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from None
    from deployments.sandbox.server import serve  # noqa: PLC0415 -- slow to import, and no other command needs it

    serve(
        SandboxOptions(
            port=port,
            control_port=control_port,
            owners=owners,
            seed=seed,
            ics=files,
            rights_style=rights_style,
            lock_after=lock_after,
            json=as_json,
            exit_with_stdin=exit_with_stdin,
        )
    )
