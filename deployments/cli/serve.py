"""`busytime serve`: the whole service on one machine, in the foreground."""

import os
import signal
import threading
import time
from contextlib import closing
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from config.settings import LogFormat
from deployments.api_password import password_file
from deployments.cli.output import messages, output
from deployments.log_lines import as_json, write_lines
from deployments.serving.service import Ports, service
from tasks.workspace import open_workspace


def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of Prefect's page.")] = 4200,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=1, max=65535, help="Port of the figures for Prometheus.")
    ] = 4280,
    host: Annotated[
        str, typer.Option("--host", help="Address for page and figures; on any but this machine's own the page wants a log-on.")
    ] = "127.0.0.1",
    log_on: Annotated[
        bool, typer.Option("--log-on", help="Let the page want a log-on here, too: who may use this machine is not all trusted.")
    ] = False,
) -> None:
    """Run Prefect's server, its schedules and a worker, until Ctrl-C.

    Example: busytime serve
    """
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # while it starts, either signal breaks that off
    with closing(open_workspace()) as office:
        write_lines(office.settings.log_format)
        joins = "PREFECT_API_URL" in os.environ
        tell = partial(_tell, office.settings.log_format)
        tell("Starting a worker ..." if joins else "Starting Prefect's server, the deployments and a worker ...", messages())
        ports = Ports(host, port, metrics_port, log_on)
        with service(office, ports, stopping) as running:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
            tell(f"[green]Serving[/]. Prefect's page: [bold]{running.page}[/]; figures: {running.figures}/metrics. Ctrl-C stops.")
            if not joins and ports.wants_log_on:
                where = password_file(office.settings.home / "prefect")
                tell(f"The page wants a log-on: it stands in {where}.")
            running.wait(stopping)
            tell("Stopping ...", messages())
    tell("Stopped.")


def _tell(kind: LogFormat, text: str, screen: Console | None = None) -> None:
    """Tell a person, or a program that reads lines."""
    screen = screen or output()
    if kind is LogFormat.JSON:
        line = as_json(time.time(), "INFO", "busytime.serve", Text.from_markup(text).plain)
        screen.print(line, soft_wrap=True, markup=False, highlight=False)
    else:
        screen.print(text, soft_wrap=True)
