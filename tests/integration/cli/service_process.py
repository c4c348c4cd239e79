"""A home served by `busytime serve`, as a process: started, spoken to, and ended whatever happens."""

from __future__ import annotations

import base64
import json
import signal
import socket
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import psutil

STARTS_WITHIN_SECONDS = 180


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, password=None, **headers):
    token = {"Authorization": "Basic " + base64.b64encode(password.encode()).decode()} if password else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=token | headers), timeout=10) as answer:  # noqa: S310 -- our own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ask(page, path, **body):
    """Ask the service's Prefect server."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{page}/api/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own address
        return json.load(answer)


def count_scheduled(page):
    """Count the flow runs that it means to start later."""
    return ask(page, "flow_runs/count", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def second_machine(home, page):
    """Return a home of its own on the same database, which is told of the first one's Prefect server."""
    shared = {"BUSYTIME_DATABASE_URL": f"sqlite:///{home.path / 'busytime.db'}", "BUSYTIME_KEY_FILE": str(home.path / "key")}
    return replace(home, path=home.path.with_name("second"), prefect_api=f"http://127.0.0.1:{page}/api", more=shared | home.more)


@contextmanager
def serving(home, *options):
    """Serve a home on free ports; yield the process and the ports, and end it whatever happens."""
    page, figures = free_port(), free_port()
    process = home.start("serve", "--port", str(page), "--metrics-port", str(figures), *options)
    try:
        yield process, page, figures
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)


def listener(port):
    """Return the process that listens on a port of this machine."""
    [process] = {it.pid for it in psutil.net_connections("tcp") if it.status == "LISTEN" and it.laddr.port == port}
    return process


def said_first(process):
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line
