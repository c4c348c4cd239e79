"""`busytime serve`: the whole service on one machine, in the foreground."""

import logging
import signal
import threading
from contextlib import closing
from typing import Annotated

import typer

from deployments.cli.output import messages, output
from deployments.prefect_server import Page
from deployments.serving.service import service
from tasks.workspace import open_workspace


def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where Prefect's page is.")] = 4200,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=1, max=65535, help="Where figures for Prometheus are.")
    ] = 4280,
) -> None:
    """Run Prefect's server, its schedules and a worker, until Ctrl-C.

    Example: busytime serve
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("busytime").setLevel(logging.INFO)
    with closing(open_workspace()) as office:
        messages().print("Starting Prefect's server, the deployments and a worker ...")
        with service(office, Page("127.0.0.1", port), metrics_port, stopping) as running:
            output().print(
                f"[green]Serving[/]. Prefect's page: [bold]{running.page}[/]; figures: {running.metrics}. Ctrl-C stops.",
                soft_wrap=True,
            )
            running.wait(stopping)
            messages().print("Stopping ...")
    output().print("Stopped.")
