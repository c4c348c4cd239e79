"""Making the deployments that `deployments/prefect.yaml` describes, with the schedules of the settings."""

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

import deployments
from busytime.errors import ConfigurationError, FatalError
from config.settings import Settings
from deployments.log_files import log_file

#: The work pool that all deployments name.
POOL = "busytime"
#: The directory that holds `flows`: workers run there.
ROOT = Path(deployments.__file__).resolve().parents[1]
_FILE = ROOT / "deployments" / "prefect.yaml"


class DeployError(FatalError):
    """The deployments could not be made."""


def without_log_on(address: str) -> str:
    """Return a server's address without the log-on that may be part of it."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_server() -> None:
    """Check that the server which the user has named can be used.

    Raises:
        ConfigurationError: It does not answer, or wants another log-on.
    """
    from httpx import HTTPError, HTTPStatusError  # noqa: PLC0415 -- comes with Prefect, whose settings are read when it is imported
    from prefect.client.orchestration import get_client  # noqa: PLC0415 -- as above

    address = without_log_on(os.environ["PREFECT_API_URL"])
    try:
        with get_client(sync_client=True) as client:
            client.read_work_pools(limit=1)
    except HTTPStatusError as error:
        said = f"answers with status {error.response.status_code}"
        step = (
            "set PREFECT_API_AUTH_STRING to its log-on"
            if error.response.status_code == HTTPStatus.UNAUTHORIZED
            else "look at its log"
        )
    except HTTPError as error:
        said, step = (
            f"does not answer ({type(error).__name__})",
            "start it, or unset PREFECT_API_URL, and this service starts one",
        )
    else:
        return
    raise ConfigurationError(f"Prefect's server {address}, which PREFECT_API_URL names, {said}: {step}.")


def described(settings: Settings) -> dict[str, Any]:
    """Return what `deployments/prefect.yaml` says, with the schedules of the settings in it."""
    said: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    schedules = {
        "harvest": settings.harvest_schedule,
        "validate": settings.validate_schedule,
        "maintain": settings.maintain_schedule,
    }
    for deployment in said["deployments"]:
        if deployment["name"] in schedules:
            (schedule,) = deployment["schedules"]
            cron = schedules[deployment["name"]]
            schedule |= {"cron": cron, "timezone": _zone(cron, settings)}
        elif deployment["name"] in {"push", "watch"}:
            deployment["schedules"] = []  # the service looks by itself, more often than a schedule could
    return said


def _zone(cron: str, settings: Settings) -> str:
    """Return the zone of a schedule: UTC where its hours are all, because Prefect leaves one out when clocks are set back."""
    return "UTC" if cron.split()[1:] == ["*"] * 4 else settings.schedule_time_zone


def deploy(settings: Settings, log: Path) -> None:
    """Make the work pool and all deployments on the server that `PREFECT_API_URL` names.

    Args:
        settings: With the schedules.
        log: File to which Prefect's own words go.

    Raises:
        DeployError: Prefect refused them.
    """
    file = settings.home / "prefect" / "prefect.yaml"
    said = described(settings)
    file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    from httpx import HTTPError  # noqa: PLC0415 -- comes with Prefect

    try:
        _make_pool(log)
        _prefect(log, "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        _remove_doubles({name for it in said["deployments"] for name in _automations(it)})
    except HTTPError as error:
        raise DeployError(
            f"Prefect's server did not take the deployments ({type(error).__name__}): see {log.with_name('server.log')}."
        ) from None


def _automations(deployment: Mapping[str, Any]) -> list[str]:
    """Return how Prefect calls the automations that it makes of a deployment's triggers."""
    return [f"{deployment['name']}__automation_{number}" for number, _ in enumerate(deployment.get("triggers", ()), start=1)]


def _remove_doubles(names: Collection[str]) -> None:
    """Leave one of the automations of a name: two machines that deploy at once take the old one away, and make two."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 -- its settings are read when it is imported
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415 -- as above

    seen: set[str] = set()
    with get_client(sync_client=True) as client:
        # In an order that all machines have in common, so that they leave the same one.
        for automation in sorted(client.read_automations(), key=lambda it: it.id):
            if automation.name in seen:
                with suppress(ObjectNotFound):
                    client.delete_automation(automation.id)
            elif automation.name in names:
                seen.add(automation.name)


def _make_pool(log: Path) -> None:
    """Make the work pool; one that is there may have limits of its own."""
    if _has_pool():
        return
    try:
        _prefect(log, "work-pool", "create", POOL, "--type", "process")
    except DeployError:
        if not _has_pool():  # else another machine was faster
            raise


def _has_pool() -> bool:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 -- its settings are read when it is imported
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415 -- as above

    try:
        with get_client(sync_client=True) as client:
            client.read_work_pool(POOL)
    except ObjectNotFound:
        return False
    return True


def _prefect(log: Path, *arguments: str) -> None:
    """Run a command of Prefect's; what it prints is kept if it fails, and else would tell to start a worker by hand."""
    with log_file(log) as output:
        ended = subprocess.run(  # noqa: S603 -- this very interpreter
            [sys.executable, "-m", "prefect", *arguments],
            cwd=ROOT,
            env=os.environ | {"BUSYTIME_ROOT": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=False,
        )
        if ended.returncode:
            output.write(ended.stdout)
    if ended.returncode:
        raise DeployError(f"Prefect could not make the deployments (`prefect {arguments[0]}`): see {log}.")
