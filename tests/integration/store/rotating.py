"""Homes with stored secrets whose master key is rotated, and what has to be true of them at any time."""

import hashlib
import hmac
import json
import os
import subprocess
import sys

from sqlalchemy import select

from busytime.model import ConnectionMode, Endpoint
from busytime.store.connections import secret_identity
from busytime.store.database import open_engine
from busytime.store.tables import credentials, events, installation
from config.settings import load_settings
from tasks.keys import load_keys
from tasks.workspace import open_workspace
from tests.integration.store.processes import PATIENCE_SECONDS, ROOT

SECRETS = {"busytime@corp.example": [b"long ago", b"a year ago", b"now"], "eva@corp.example": [b"hers"]}


class KeyedHome:
    """A home with connections, of which one has changed its password twice."""

    def __init__(self, path, url, **more):
        self.path, self.url, self.more = path, url, more
        with self.opened() as workspace:
            workspace.desk.store.append_event("person:test:began", store_secrets(workspace), {})

    @property
    def key_file(self):
        return self.path / "key"

    @property
    def keys(self):
        """The texts in the key file."""
        return self.key_file.read_text().split()

    @property
    def settings(self):
        return load_settings(home=self.path, database_url=self.url, **self.more)

    def opened(self):
        return Opened(self.settings)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BUSYTIME_")}
        kept |= {"BUSYTIME_HOME": str(self.path), "BUSYTIME_DATABASE_URL": self.url, "PYTHONPATH": str(ROOT)}
        return kept | more

    def run(self, *args, module="deployments.cli.main", **more):
        """Run a command as a process."""
        command = [sys.executable, "-m", module, *args]
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def rotate(self, *args, **more):
        return self.run("keys", "rotate", *args, **more)

    def rows(self, table):
        engine = open_engine(self.url)
        try:
            with engine.connect() as connection:
                return connection.execute(select(table).order_by(table.c.id)).all()
        finally:
            engine.dispose()

    def used(self):
        """The names of all master keys that wrap something."""
        wrapped = [row.key_id for row in self.rows(credentials) if row.wrapped_key is not None]
        return {*wrapped, *(row.audit_key_id for row in self.rows(installation))}

    def assert_whole(self, **changed):
        """Every secret that is not retired opens, the others are destroyed, and the chain of events is whole."""
        with Opened(self.settings.model_copy(update=changed)) as workspace:
            vault, key = workspace.desk.vault, workspace.desk.store.audit_key
            with workspace.store.read() as unit:
                for connection in unit.connections.all_open():
                    *retired, current = SECRETS[connection.email]
                    assert connection.credential_version == len(retired) + 1
                    for version in range(1, len(retired) + 1):
                        assert unit.connections.sealed_secret(connection.id, version) is None
                    sealed = unit.connections.sealed_secret(connection.id, connection.credential_version)
                    assert vault.open(sealed, secret_identity(connection.id, connection.credential_version)) == current
        for row in self.rows(credentials):
            assert (row.retired_at is None) == (row.wrapped_key is not None) == (row.ciphertext is not None)
        assert broken_links(key, self.rows(events)) == []

    def tags(self):
        return [row.tag for row in self.rows(events)]


class Opened:
    """A workspace for a while."""

    def __init__(self, settings):
        self._settings = settings

    def __enter__(self):
        self._workspace = open_workspace(self._settings)
        return self._workspace

    def __exit__(self, *_):
        self._workspace.close()


def store_secrets(workspace):
    """Store every version of every secret, and return the actor's id."""
    now = workspace.clock.now()
    with workspace.store.write() as unit:
        actor_id = unit.owners.id("admin@host")
        for email, versions in SECRETS.items():
            mode = ConnectionMode.PERSONAL if email.startswith("eva") else ConnectionMode.CORPORATE
            connection_id = unit.connections.open(unit.owners.id(email), Endpoint(email, "https://mail/EWS"), mode, now)
            for version, secret in enumerate(versions, 1):
                identity = secret_identity(connection_id, version)
                sealed = workspace.desk.vault.seal(secret, identity, unit.keys.active_id())
                unit.connections.store_secret(connection_id, version, sealed, actor_id, now)
    return actor_id


def broken_links(key, rows):
    """The ids of events that do not follow from the one before; worked out apart from the code that writes them."""
    broken, previous = [], ""
    for row in rows:
        at = row.at.isoformat(timespec="microseconds")
        link = json.dumps([previous, row.tag, at, row.actor_id, row.run_id, row.details])
        if row.previous_hmac != previous or row.hmac != hmac.new(key, link.encode(), hashlib.sha256).hexdigest():
            broken.append(row.id)
        previous = row.hmac
    return broken


def key_ids(settings):
    return [key.key_id for key in load_keys(settings)]
