"""Starting and stopping, and what a sandbox promises to other programs."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.sandbox.generator import populate
from deployments.sandbox.limits import Limits
from deployments.sandbox.model import Folder
from deployments.sandbox.organisation import Organisation
from tests.contract.sandbox.client import Client, calendar_of
from tests.sandbox_fixture import RunningSandbox, running_sandbox

ANCHOR = datetime(2026, 11, 23, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_leaves_nothing_behind(number):
    sandbox = RunningSandbox("--owners", "1")
    client = Client(sandbox)
    assert client.availability("owner0001@corp.example").codes == ["NoError"]
    folder = Path(sandbox.ca_file).parent
    assert folder.is_dir()
    # An open connection and a request that hangs do not hold it up.
    sandbox.control("POST", "/faults", {"kind": "stalled_mailbox", "mailbox": "owner0001@corp.example", "seconds": 3600})
    client.connection.request("POST", "/EWS/Exchange.asmx", b"")
    sandbox.process.send_signal(number)
    assert sandbox.stop() == 0
    client.close()
    assert not folder.exists()


def test_it_ends_with_its_standard_input():
    sandbox = RunningSandbox("--owners", "1")
    sandbox.process.stdin.close()
    assert sandbox.process.wait(timeout=20) == 0
    sandbox.stop()


def test_a_person_is_told_how_to_connect():
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port", "0", "--exit-with-stdin"]
    ended = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "busytime connect busytime@corp.example" in ended.stdout
    assert "--ews-url https://localhost:" in ended.stdout
    assert "--ca-file /" in ended.stdout


@pytest.mark.parametrize("value", ["nothing", "missing.ics=a@corp.example", f"{__file__}=nobody", f"{__file__}=a@corp.example"])
def test_a_calendar_file_that_cannot_be_read_is_refused_with_one_line(value):
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port", "0", "--ics", value]
    ended = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "deployments.sandbox", "--port", str(port), "--control-port", "0"]
        ended = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.returncode == 2
    assert str(port) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_it_listens_on_loopback_only_and_speaks_tls_1_2_or_newer(sandbox):
    parts = urllib.parse.urlsplit(sandbox.ews_url)
    assert (parts.scheme, parts.hostname, parts.path) == ("https", "localhost", "/EWS/Exchange.asmx")
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", parts.port)) as raw:
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    with socket.create_connection(("127.0.0.1", parts.port)) as raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_the_rest_of_the_product_is_never_imported():
    code = (
        "import sys, deployments.sandbox.__main__\n"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " {'busytime', 'config', 'tasks', 'flows', 'exchangelib', 'sqlalchemy', 'prefect'}"
        " or name.startswith('deployments.cli')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")


def test_the_options_of_the_command_line_count():
    with running_sandbox(
        "--owners", "12000", "--rights-style", "items", "--lock-after", "4", "--email", "other@corp.example"
    ) as sandbox:
        limits = sandbox.control("GET", "/limits")
        assert (limits["rights_style"], limits["lock_after"]) == ("items", 4)
        client = Client(sandbox)
        answer = client.get_folder(calendar_of("owner11999@corp.example"), "folder:EffectiveRights")
        client.close()
    assert sandbox.email == "other@corp.example"
    assert len(answer.all(".//t:EffectiveRights/t:Modify[text()='true']")) == 1


def calendar(number: int, *, seed: int = 1) -> Folder:
    organisation = Organisation("busytime@corp.example", Limits())
    populate(organisation, 30, seed, ANCHOR)
    return organisation.folder(f"owner{number:04}@corp.example", "")


def facts(folder: Folder) -> list[tuple]:
    found = folder.occurrences(ANCHOR, ANCHOR + timedelta(days=62))
    return [(one.start, one.end, one.status, one.subject) for one in found]


def test_a_seed_gives_the_same_organisation_again_and_another_seed_another():
    assert facts(calendar(7)) == facts(calendar(7))
    assert facts(calendar(7)) != facts(calendar(8))
    assert facts(calendar(7)) != facts(calendar(7, seed=2))


def test_generated_calendars_are_of_every_kind_and_size_and_healthy():
    found = [one for number in range(1, 31) for one in calendar(number).occurrences(ANCHOR, ANCHOR + timedelta(days=62))]
    assert 50 < len(found) / 30 < 70
    assert {one.status for one in found} == {"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"}
    assert all(one.end > one.start for one in found)
    for kind in ("is_private", "is_all_day", "is_cancelled"):
        assert any(getattr(one.item, kind) for one in found)
    assert any(one.is_exception for one in found)


def test_generated_calendars_are_shared_with_the_dedicated_mailbox():
    assert calendar(3).permissions == {"default": "FreeBusyTimeOnly", "busytime@corp.example": "Editor"}


def test_json_output_is_one_object_on_one_line():
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port", "0", "--json", "--exit-with-stdin"]
    ended = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, timeout=30, check=False)
    (line,) = ended.stdout.splitlines()
    assert set(json.loads(line)) == {"ews_url", "control_url", "ca_file", "email", "password"}
