"""Debian's PostgreSQL, where it is installed: it has the extension `pg_trgm`, which Prefect's tables need."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATIENCE_SECONDS = 60
_DATABASES = Path(__file__).resolve().parents[2] / "deployments" / "postgresql" / "databases.sql"


def installed() -> Path | None:
    """Return the directory of the newest server's programs; ``None`` where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda it: float(it.parts[-3]))
    return found[-1].parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class DebianPostgreSQL:
    """A running server.

    Args:
        programs: Directory of its programs.
        port: Where it listens on loopback.
        passwords: File with the password of each of its logins, as clients read it.
    """

    programs: Path
    port: int
    passwords: Path

    def psql(self, *arguments: str, user: str = "postgres", database: str = "postgres") -> subprocess.CompletedProcess[str]:
        """Run psql, and return what came of it."""
        address = ["--host=127.0.0.1", f"--port={self.port}", f"--username={user}", f"--dbname={database}"]
        return subprocess.run(
            [str(self.programs / "psql"), "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", *address, *arguments],
            env={"PATH": os.environ["PATH"], "PGPASSFILE": str(self.passwords)},
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
        )

    def make_databases(self) -> subprocess.CompletedProcess[str]:
        """Make the databases as `compose.yaml` does."""
        return self.psql(f"--file={_DATABASES}")


@contextmanager
def debian_postgresql(programs: Path, logins: tuple[str, ...] = ("busytime", "prefect")) -> Iterator[DebianPostgreSQL]:
    """Run a server on loopback; all of it is gone afterwards.

    Args:
        programs: Directory of its programs.
        logins: For whom the file of passwords holds one, beside the superuser.
    """
    directory = Path(tempfile.mkdtemp(prefix="busytime-postgresql-"))
    server = DebianPostgreSQL(programs, free_port(), directory / "pgpass")
    passwords = {login: secrets.token_hex(16) for login in ("postgres", *logins)}
    (directory / "password").write_text(passwords["postgres"], encoding="ascii")
    lines = [f"127.0.0.1:{server.port}:*:{login}:{password}\n" for login, password in passwords.items()]
    server.passwords.write_text("".join(lines), encoding="ascii")
    server.passwords.chmod(0o600)
    somebody = _somebody()
    for path in (directory, directory / "password"):
        if somebody:
            os.chown(path, somebody["user"], somebody["group"])

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(directory / "data"), *arguments]
        environment = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": _PATIENCE_SECONDS}
        subprocess.run(command, cwd=directory, env=environment, check=True, **quiet, **somebody)

    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": directory, "fsync": "off", "max_connections": 200}
    options = " ".join([f"-p {server.port}", *(f"-c {name}={value}" for name, value in settings.items())])
    try:
        run("initdb", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={directory / 'password'}", "-E", "UTF8")
        run("pg_ctl", "-l", str(directory / "log"), "-o", options, "-w", "start")
        try:
            yield server
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _somebody() -> dict[str, Any]:
    """Return whom the server runs as: it refuses to run as root."""
    if os.geteuid():
        return {}
    account = next(it for it in pwd.getpwall() if it.pw_name in {"postgres", "nobody"})
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
