"""Starting and stopping: two servers in one process and one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from deployments.sandbox import certificates, ics
from deployments.sandbox.arrivals import EWS_PATH
from deployments.sandbox.connection import ConnectionProtocol
from deployments.sandbox.control import Control
from deployments.sandbox.directory import Directory
from deployments.sandbox.exchange import Exchange
from deployments.sandbox.faults import Faults
from deployments.sandbox.generator import populate
from deployments.sandbox.journal import Journal
from deployments.sandbox.limits import Limits
from deployments.sandbox.operations.availability import warm
from deployments.sandbox.options import SandboxOptions
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.state import State
from deployments.sandbox.tokens import Tokens

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The two faces of one organisation."""

    exchange: Exchange
    control: Control
    email: str
    password: str


def build(options: SandboxOptions) -> Sandbox:
    """Make the organisation and everything around it; nothing listens yet.

    Raises:
        ValueError: A calendar file cannot be read.
    """
    limits = Limits(lock_after=options.lock_after, rights_style=str(options.rights_style))
    organisation = Organisation(options.email, limits)
    populate(organisation, options.owners, options.seed, options.anchor or datetime.now(UTC))
    for path, owner in options.ics:
        ics.load(organisation, path, owner)
    if options.warm:
        _warm(organisation, options.anchor or datetime.now(UTC))
    password = options.password or secrets.token_urlsafe(18)
    directory = Directory(limits)
    directory.set_password(options.email, password)
    state = State(organisation, directory, Tokens(limits), limits, Faults(options.seed), Journal())
    return Sandbox(Exchange(state), Control(state), options.email, password)


def _warm(organisation: Organisation, around: datetime) -> None:
    """Make every mailbox and render its calendar, as its first request would."""
    for address in list(organisation.addresses()):
        warm(organisation.owner(address), around)


class _Server(uvicorn.Server):
    """A server that leaves signals to the process: there are two of them in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch none."""
        yield


def serve(options: SandboxOptions) -> None:
    """Run the sandbox until SIGINT or SIGTERM, or until standard input ends if so asked.

    Prints how to connect once both faces answer. Everything it wrote to disk is gone afterwards.

    Raises:
        ValueError: A calendar file cannot be read.
        OSError: A port is taken.
    """
    sandbox = build(options)
    with tempfile.TemporaryDirectory(prefix="busytime-sandbox-") as directory:
        files = certificates.create(Path(directory), self_signed=options.self_signed)
        with _listen(options.port) as ews, _listen(options.control_port) as control:
            asyncio.run(_run(options, sandbox, files, ews, control))


def _listen(port: int) -> socket.socket:
    # With the protocol named, or asyncio does not switch Nagle's algorithm off: answers would wait
    # 40 ms for the client's acknowledgement of their first part.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} cannot be used: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _config(app: object, files: certificates.Files | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # a bare ASGI object
        http=ConnectionProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="critical",
        # Clients keep their connections; one that the server closes under them looks like a fault.
        timeout_keep_alive=300,
        timeout_graceful_shutdown=1,
        ssl_certfile=files.certificate if files else None,
        ssl_keyfile=files.key if files else None,
    )


async def _run(
    options: SandboxOptions,
    sandbox: Sandbox,
    files: certificates.Files,
    ews: socket.socket,
    control: socket.socket,
) -> None:
    config = _config(sandbox.exchange, files)
    config.load()
    servers = [_Server(config), _Server(_config(sandbox.control.app(), None))]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True
            # Idle connections would hold the exit up until their clients say goodbye, too.
            for connection in list(server.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
            # Only a process's main thread can do this; elsewhere the caller stops the loop.
            loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener])) for server, listener in zip(servers, (ews, control), strict=True)
    ]
    # uvicorn tells of its start by a plain attribute; there is no event to wait for.
    while not all(server.started for server in servers) and not any(map(_done, tasks)):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    _announce(options, sandbox, files, ews, control)
    if options.exit_with_stdin:
        _stop_with_stdin(loop, stop)
    await asyncio.gather(*tasks)


def _done(task: asyncio.Task[None]) -> bool:
    return task.done()


def _stop_with_stdin(loop: asyncio.AbstractEventLoop, stop: object) -> None:
    """Stop when standard input ends: no sandbox outlives the process that started it."""

    def watch() -> None:
        # Not through sys.stdin: a thread that waits inside its lock breaks the interpreter's exit.
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop)  # type: ignore[arg-type]

    threading.Thread(target=watch, daemon=True).start()


def _announce(
    options: SandboxOptions,
    sandbox: Sandbox,
    files: certificates.Files,
    ews: socket.socket,
    control: socket.socket,
) -> None:
    facts = {
        "ews_url": f"https://localhost:{ews.getsockname()[1]}{EWS_PATH}",
        "control_url": f"http://{_LOOPBACK}:{control.getsockname()[1]}",
        "ca_file": str(files.authority),
        "email": sandbox.email,
        "password": sandbox.password,
    }
    text = json.dumps(facts) if options.json else _for_people(options, facts)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _for_people(options: SandboxOptions, facts: dict[str, str]) -> str:
    people = f"{options.owners} owners" if options.owners != 1 else "1 owner"
    loaded = f", {len(options.ics)} from files" if options.ics else ""
    return "\n".join(
        [
            f"A local Exchange is running, with {people} (seed {options.seed}{loaded}).",
            "",
            f"  EWS       {facts['ews_url']}",
            f"  control   {facts['control_url']}",
            f"  mailbox   {facts['email']}",
            f"  password  {facts['password']}",
            "",
            "Connect to it from another terminal:",
            "",
            f"  busytime connect {facts['email']} \\",
            f"    --ews-url {facts['ews_url']} \\",
            f"    --ca-file {facts['ca_file']}",
            "",
            "Ctrl-C ends it, and nothing is left behind.",
        ]
    )
