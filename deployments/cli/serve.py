"""`busytime serve`: the whole service on one machine, in the foreground."""

import logging
import os
import signal
import threading
from contextlib import closing
from typing import Annotated

import typer

from deployments.api_password import password_file
from deployments.cli.output import messages, output
from deployments.serving.service import Ports, service
from tasks.workspace import open_workspace


def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of Prefect's page.")] = 4200,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=1, max=65535, help="Port of the figures for Prometheus.")
    ] = 4280,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; on any but this machine's own the page wants a log-on.")
    ] = "127.0.0.1",
) -> None:
    """Run Prefect's server, its schedules and a worker, until Ctrl-C.

    Example: busytime serve
    """
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # while it starts, either signal breaks that off
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("busytime").setLevel(logging.INFO)
    with closing(open_workspace()) as office:
        joins = "PREFECT_API_URL" in os.environ
        messages().print("Starting a worker ..." if joins else "Starting Prefect's server, the deployments and a worker ...")
        ports = Ports(host, port, metrics_port)
        with service(office, ports, stopping) as running:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
            output().print(
                f"[green]Serving[/]. Prefect's page: [bold]{running.page}[/]; figures: {running.figures}/metrics. Ctrl-C stops.",
                soft_wrap=True,
            )
            if not joins and not ports.is_private:
                where = password_file(office.settings.home / "prefect")
                output().print(f"The page wants a log-on: it stands in {where}.", soft_wrap=True)
            running.wait(stopping)
            messages().print("Stopping ...")
    output().print("Stopped.")
