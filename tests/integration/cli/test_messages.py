"""Bad input, bad settings and bad homes: one clear message on standard error, the right status, and nothing changed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from busytime.store.database import head_version
from deployments.cli.main import app
from tests.flows.harness import Home, Result, spared
from tests.integration.cli.service_process import free_port

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "s3cret-in-the-url"


@pytest.fixture
def used(home):
    """A home that was used before."""
    home.take_roster("ana@corp.example").ended(0)
    return home


def refused(result: Result, status: int, *words: str) -> str:
    """Check that a command printed one message and nothing else, and return it."""
    result.ended(status)
    assert result.out == ""
    message = spared(result.err)
    assert message.startswith("busytime: ")
    assert message.count("busytime: ") == 1
    assert "unexpected" not in message
    for word in words:
        assert word in message
    return message


def contents(home: Home) -> dict[str, bytes]:
    """Return what the home's files hold, all that lies in the write-ahead log included."""
    passing = {"busytime.db-shm"}  # an index of that log, which every reader makes anew
    files = [path for path in home.path.iterdir() if path.is_file() and path.stat().st_size and path.name not in passing]
    return {path.name: path.read_bytes() for path in files}


def commands() -> list[tuple[str, ...]]:
    """List every command there is."""
    root = typer.main.get_command(app)
    found: list[tuple[str, ...]] = []
    for name, command in root.commands.items():
        below = getattr(command, "commands", {})
        found += [(name, sub) for sub in below] if below else [(name,)]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_help_of_every_command_has_an_example(home, command):
    result = home.call(*command, "--help").ended(0)
    assert f"Example: busytime {' '.join(command)}" in result.out
    assert result.err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("harvest", "--nonsense"),
        ("roster", "import"),
        ("free", "--page", "talk"),
        ("harvest", "--from", "2026-12-01"),
        ("harvest", "--from", "2026-12-02", "--to", "2026-12-01"),
        ("harvest", "--from", "tomorrow", "--to", "2026-12-01"),
        ("harvest", "--from", "2026-12-01T09:00:00", "--to", "2026-12-02"),
        ("free", "--page", "none", "--from", "2026-12-01", "--to", "2026-12-02", "--duration", "30m"),
        ("roster", "import", "not-there.yaml"),
        ("connect", "not-an-address", "--ews-url", "https://mail.corp.example/EWS/Exchange.asmx", "--password-stdin"),
        ("connect", "eva@corp.example", "--ews-url", "http://mail.corp.example/EWS/Exchange.asmx", "--password-stdin"),
        ("connect", "eva@corp.example", "--ews-url", "https://mail.corp.example/", "--ca-file", "not-there.pem"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_status_2_with_one_message(used, arguments):
    refused(used.call(*arguments, stdin="a password\n"), 2)


def test_a_page_of_which_the_slot_is_longer_than_its_hours_is_wrong_use(home):
    home.take_roster("ana@corp.example", pages=["  - name: talk", "    main: ana@corp.example", '    hours: "09:00-10:00"'])
    window = ("--from", "2026-12-01", "--to", "2026-12-02")
    refused(home.call("free", "--page", "talk", *window, "--duration", "2h"), 2, "does not fit")


FAULTY = """\
calendars:
  - owner: ana@corp.example
  - owner: not-an-address
  - owner: bo@corp.example
    colour: green
booking_pages:
  - name: talk
    time_zone: Europe/Atlantis
    main: ana@corp.example
"""


def test_a_roster_with_faults_is_refused_whole_with_each_line(used):
    before = used.call("roster", "list", "--json").json
    file = used.directory / "faulty.yaml"
    file.write_text(FAULTY, encoding="utf-8")

    result = used.run("roster", "import", str(file)).ended(2)

    assert result.out == ""
    for line in (3, 5, 8):
        assert f"faulty.yaml:{line}: " in result.err
    assert "3 faults" in result.err
    assert "nothing was changed" in result.err
    assert used.call("roster", "list", "--json").json == before


def test_a_roster_that_lacks_too_many_calendars_is_stopped_by_the_gate(home):
    owners = [f"owner{number}@corp.example" for number in range(10)]
    home.take_roster(*owners).ended(0)
    refused(home.take_roster(*owners[:7]), 4, "lacks 3 of 10", "--force")
    assert len(home.call("roster", "list", "--json").json["calendars"]) == 10
    assert home.take_roster(*owners[:8]).ended(0).json["calendars"]["retired"] == 2
    forced = home.call("roster", "import", str(home.directory / "roster.yaml"), "--force", "--json")
    assert forced.ended(0).json["calendars"] == {"added": 0, "kept": 8, "retired": 0}


def test_a_missing_key_is_status_5_and_nothing_is_overwritten(used):
    (used.path / "key").unlink()
    before = contents(used)
    refused(used.call("status"), 5, "restore it", "Nothing was changed")
    assert contents(used) == before


def test_a_wrong_key_is_status_5_and_nothing_is_overwritten(used):
    before = contents(used)
    used.more["BUSYTIME_KEY"] = base64.b64encode(b"another key of 32 bytes, no more").decode()
    message = refused(used.call("status"), 5, "restore the key file")
    assert used.more["BUSYTIME_KEY"] not in message
    assert contents(used) == before


def test_a_key_file_that_others_can_read_is_not_used(used):
    (used.path / "key").chmod(0o644)
    refused(used.call("harvest"), 5, "chmod 600")


def test_an_empty_home_is_made_ready_with_a_key_that_only_its_owner_reads(home):
    home.call("status").ended(0)
    assert (home.path / "key").stat().st_mode & 0o777 == 0o600
    assert home.path.stat().st_mode & 0o777 == 0o700


#: A version of the tables that comes after the newest one.
_LATER = """\
from alembic import op
revision = "later"
down_revision = "{head}"
branch_labels = depends_on = None
def upgrade():
    op.execute("CREATE TABLE later (id INTEGER)")
"""
_LATER_COMMAND = """\
import sys
from pathlib import Path
import busytime.store.database as database
database._MIGRATIONS = Path(sys.argv[1])
from deployments.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.processes
def test_an_older_database_is_refused_until_it_is_upgraded(used):
    migrations = used.directory / "migrations"
    shutil.copytree(ROOT / "busytime/store/migrations", migrations)
    (migrations / "versions/later.py").write_text(_LATER.format(head=head_version()), encoding="utf-8")

    def newer(*args: str) -> Result:
        command = [sys.executable, "-c", _LATER_COMMAND, str(migrations), *args]
        done = subprocess.run(command, env=used.environment, cwd=used.directory, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    refused(newer("status"), 2, "busytime db upgrade")
    upgraded = newer("db", "upgrade", "--json").ended(0).json
    backup = str(used.path / "busytime.db.before-later")
    assert upgraded == {"schema_version": "later", "upgraded_from": head_version(), "backup": backup}
    newer("roster", "list").ended(0)
    refused(used.call("status"), 2, "install a newer busytime")


@pytest.mark.parametrize("home_of", ["/proc/busytime", "{directory}/a-file", "{directory}/a-file/below"])
def test_a_home_that_cannot_be_written_is_one_clear_message(home, home_of):
    (home.directory / "a-file").touch()
    home.path = Path(home_of.format(directory=home.directory))
    refused(home.call("status"), 2, "BUSYTIME_HOME", str(home.path))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ready.lock", Path.mkdir),
        ("serve.lock", Path.mkdir),
        ("serve.lock", os.mkfifo),
        ("prefect", Path.touch),
        ("prefect/server.log", Path.mkdir),
        ("prefect/server.log", os.mkfifo),
    ],
)
def test_something_else_where_busytime_keeps_a_file_or_directory_is_one_clear_message(home, name, make):
    path = home.path / name
    path.parent.mkdir(parents=True)
    make(path)
    home.prefect_api = None  # a service that joins a server has no log of one, and would serve
    result = home.call("serve", "--port", str(free_port()), "--metrics-port", str(free_port())).ended(2)
    assert f"{path} is no " in spared(result.err)
    assert "move it away" in spared(result.err)
    assert "unexpected" not in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_home_in_a_directory_of_others_is_one_clear_message(home):
    home.directory.chmod(0o500)
    refused(home.call("status"), 2, "BUSYTIME_HOME")


@pytest.mark.parametrize(
    "url",
    [
        "rubbish",
        f"mysql://ana:{PASSWORD}@127.0.0.1/busytime",
        f"postgresql://ana:{PASSWORD}@127.0.0.1:1/busytime",
        "sqlite:////not/there/busytime.db",
    ],
)
def test_a_database_that_cannot_be_used_is_one_clear_message_without_its_password(home, url):
    home.more["BUSYTIME_DATABASE_URL"] = url
    message = refused(home.call("status"), 2, "BUSYTIME_DATABASE_URL")
    assert PASSWORD not in message


def test_a_settings_file_that_is_not_there_is_one_clear_message(home):
    home.more["BUSYTIME_CONFIG"] = str(home.directory / "not-there.toml")
    refused(home.call("status"), 2, "BUSYTIME_CONFIG", "not-there.toml")
    assert not home.path.exists()


@pytest.mark.parametrize("line", ["no toml at all", "nonsense = 1", 'max_age_minutes = "soon"', "batch_size = 1000"])
def test_a_wrong_setting_is_named_without_its_value(home, line):
    file = home.directory / "busytime.toml"
    file.write_text(line + "\n", encoding="utf-8")
    home.more["BUSYTIME_CONFIG"] = str(file)
    refused(home.call("status"), 2, str(file))


@pytest.mark.processes
@pytest.mark.parametrize("arguments", [(), ("--password-stdin",)])
def test_connect_without_any_standard_input_says_so(used, arguments):
    connect = ["connect", "eva@corp.example", "--ews-url", "https://localhost:1/EWS/Exchange.asmx", *arguments]
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "deployments.cli.main", *connect]
    done = subprocess.run(command, env=used.environment, cwd=used.directory, capture_output=True, text=True, check=False)
    refused(Result(done.returncode, done.stdout, done.stderr), 2, "--password-stdin")


@pytest.mark.parametrize(("stdin", "words"), [("", "is empty"), ("\n", "is empty"), ("x" * 2000, "longer than")])
def test_a_password_that_cannot_be_one_is_not_tried(home, exchange, stdin, words):
    before = len(exchange.log())
    args = ("connect", exchange.email, "--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin")
    refused(home.call(*args, stdin=stdin), 2, words)
    assert len(exchange.log()) == before


def test_a_server_whose_certificate_is_not_trusted_gets_no_password(home, exchange):
    before = len(exchange.log())
    args = ("connect", exchange.email, "--ews-url", exchange.ews_url, "--password-stdin")
    message = spared(home.call(*args, stdin=exchange.password).ended(1).err)
    assert "certificate is not trusted" in message
    assert "--ca-file" in message
    assert len(exchange.log()) == before


def test_the_advice_of_a_refused_harvest_works_as_it_is_written(home, exchange):
    home.take_roster("owner0001@corp.example").ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/password", {"email": exchange.email, "password": "a new one by the admin"})
    home.harvest().ended(5)
    advice = spared(home.call("harvest").ended(5).err)
    assert f"`busytime password {exchange.email}`" in advice
    home.call("password", exchange.email, "--password-stdin", stdin="a new one by the admin\n").ended(0)
    home.harvest().ended(0)


def test_a_refused_harvest_has_its_message_on_standard_error_with_json_too(home, exchange):
    home.take_roster("owner0001@corp.example").ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/password", {"email": exchange.email, "password": "a new one by the admin"})
    result = home.harvest().ended(5)
    assert result.json["message"] in result.err


@pytest.mark.processes
def test_a_named_prefect_server_that_is_not_there_is_one_clear_message(used):
    used.prefect_api = "http://127.0.0.1:1/api"
    refused(used.run("harvest", "--json"), 1, "PREFECT_API_URL")
    assert used.run_statuses() == []


@pytest.mark.processes
def test_a_service_that_ended_under_a_command_is_one_clear_message(used):
    used.prefect_api = None
    with (used.path / "serve.lock").open("w") as lock:
        lock.write(json.dumps({"page": "http://127.0.0.1:1"}))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = refused(used.run("harvest"), 1, "busytime serve", "Run the same command again")
    assert "PREFECT_API_URL" not in told
    assert used.run_statuses() == []


@pytest.mark.processes
def test_a_variable_that_is_no_setting_is_told_and_ignored(used):
    used.more["BUSYTIME_MAX_AGES"] = PASSWORD
    result = used.run("status")
    assert "Ignored: BUSYTIME_MAX_AGES is no setting; did you mean BUSYTIME_MAX_AGE_MINUTES?" in spared(result.err)
    assert PASSWORD not in result.err + result.out


@pytest.mark.processes
def test_a_prefect_server_that_does_not_start_is_one_clear_message(used):
    used.prefect_api = None
    used.more["PREFECT_HOME"] = "/proc/nothing"
    refused(used.run("harvest"), 1, "did not start", "server.log")
