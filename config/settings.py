"""The settings: read once, from `busytime.toml` and the environment over it."""

import os
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from busytime.errors import ConfigurationError
from busytime.model import BusyStatus
from config.key_command import check_trusted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_FILE = "busytime.toml"
_PREFIX = "BUSYTIME_"
#: Variables that are no settings: of the file, of messages, of workers, and of the compose file.
_OTHER_VARIABLES = {"CONFIG", "DEBUG", "PREFECT_PAGE", "ROOT", "USER"}
#: Prefect would take a sixth field for seconds.
_CRON_FIELDS = 5


class LogFormat(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


class _SettingsFile(TomlConfigSettingsSource):
    """The settings file; the file whose access is checked is the one that is read."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        with Path(file_path).open("rb") as file:
            read = tomllib.load(file)
            check_trusted(os.fstat(file.fileno()), Path(file_path), read)
        return read


class Settings(BaseSettings):
    """Every setting, with its default. In the environment a name is written `BUSYTIME_` and in capitals."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Annotated[Path, Field(description="Directory of the database, the key file and Prefect's data.")] = Path(".busytime")
    database_url: Annotated[SecretStr | None, Field(description="Database address; default: busytime.db in the home.")] = None
    key: Annotated[SecretStr | None, Field(description="Master keys as base64 text, instead of a key file.")] = None
    key_command: Annotated[
        tuple[str, ...] | None,
        Field(min_length=1, repr=False, description="Command that prints the keys; taken only from a settings file."),
    ] = None
    key_file: Annotated[Path | None, Field(description="Key file, mode 0600; default: `key` in the home.")] = None

    max_age_minutes: Annotated[int, Field(ge=1, le=10_080, description="How long an answer keeps a calendar known.")] = 30
    horizon_days: Annotated[int, Field(ge=1, le=730, description="How many days ahead a harvest reads.")] = 60
    busy_statuses: Annotated[frozenset[BusyStatus], Field(description="Statuses that make a time busy for bookings.")] = (
        frozenset(BusyStatus)
    )
    grant_grace_hours: Annotated[int, Field(ge=0, le=10_000, description="How long a grant may take to arrive.")] = 48
    batch_size: Annotated[int, Field(ge=1, le=100, description="Calendars in one request and transaction.")] = 100
    shard_size: Annotated[int, Field(ge=1, le=1_000_000, description="Calendars that one run of a harvest reads.")] = 20_000

    basic_in_flight: Annotated[int, Field(ge=1, le=10, description="Requests at once under Basic authentication.")] = 2
    request_deadline_seconds: Annotated[float, Field(gt=0, le=600, description="Deadline of one request.")] = 30.0
    batch_deadline_seconds: Annotated[float, Field(gt=0, le=3600, description="Deadline of one batch of calendars.")] = 300.0
    max_answer_bytes: Annotated[int, Field(ge=1024, description="Largest unpacked answer, in bytes.")] = 64 * 2**20

    mailboxes_in_five_minutes: Annotated[
        int | None,
        Field(ge=1, description="Mailboxes that a push writes to in five minutes, at most; default: as many as there are."),
    ] = None

    blank_bookings_after_days: Annotated[
        int, Field(ge=1, le=36_500, description="How long after its end a booking keeps title, place, text and guests.")
    ] = 30
    keep_history_days: Annotated[
        int, Field(ge=1, le=36_500, description="How long a row of history stays after it was closed.")
    ] = 400
    keep_steps_days: Annotated[int, Field(ge=1, le=36_500, description="How long the steps of runs stay.")] = 90
    keep_events_days: Annotated[int, Field(ge=1, le=36_500, description="How long audit events stay.")] = 400

    # At 2 the machine's share of the allowance is nothing: not even a harvest could log on.
    harvest_schedule: Annotated[str, Field(description="When `serve` harvests, as cron.")] = "*/5 * * * *"
    validate_schedule: Annotated[str, Field(description="When it validates.")] = "10 3 * * *"
    maintain_schedule: Annotated[str, Field(description="When it maintains the tables.")] = "40 3 * * *"
    schedule_time_zone: Annotated[str, Field(description="IANA name of the zone of these times.")] = "UTC"

    alarm_urls: Annotated[
        tuple[SecretStr, ...], Field(max_length=20, description="Apprise addresses to which alarms are sent.")
    ] = ()

    log_format: Annotated[LogFormat, Field(description="What a line of the log of `serve` and its runs is: text or json.")] = (
        LogFormat.TEXT
    )

    lockout_threshold: Annotated[int, Field(ge=3, le=1000, description="Refused log-ons at which the directory locks.")] = 5
    lockout_window_minutes: Annotated[int, Field(ge=1, le=100_000, description="How long it counts them.")] = 30

    oauth_token_url: Annotated[
        str, Field(min_length=1, description="Where tokens are asked for; `{tenant}` stands for what `--tenant` names.")
    ] = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"  # noqa: S105 -- an address, not a secret

    @field_validator("harvest_schedule", "validate_schedule", "maintain_schedule")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        try:
            if len(value.split()) != _CRON_FIELDS:
                raise CronSimError
            CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError:
            msg = "no cron expression; five fields, like */5 * * * *"
            raise ValueError(msg) from None
        return value

    @field_validator("schedule_time_zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        try:
            # Not by the list of all names: to make it, every file of the time zones is opened, at every command.
            return ZoneInfo(value).key
        except (ValueError, LookupError, OSError):
            msg = "no IANA name of a time zone, like Europe/Berlin"
            raise ValueError(msg) from None

    @field_validator("home", "key_file")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- no .env file: two sources are enough
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, but choose no command."""
        if any(name.upper() == "BUSYTIME_KEY_COMMAND" for name in os.environ):
            raise ConfigurationError(
                "BUSYTIME_KEY_COMMAND is not taken from the environment: write key_command into the settings file."
            )
        file = settings_file()
        return init_settings, env_settings, _SettingsFile(settings_cls, file)

    @model_validator(mode="after")
    def _name_one_source(self) -> Self:
        if self.key_command is not None and self.key_file is not None:
            msg = "key_command and key_file are both set; take one of them out"
            raise ValueError(msg)
        if self.key_command is not None and "/" in self.key_command[0] and not self.key_command[0].startswith("/"):
            msg = "key_command begins with a path that depends on the working directory; write it from / on"
            raise ValueError(msg)
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: they may hold a key and a password.

        Raises:
            TypeError: Always.
        """
        msg = "Settings may hold a key and do not leave their process."
        raise TypeError(msg)

    @property
    def max_age(self) -> timedelta:
        """How long an answer keeps a calendar known."""
        return timedelta(minutes=self.max_age_minutes)

    @property
    def grant_grace(self) -> timedelta:
        """How long a grant may take to arrive before its absence is `missing`."""
        return timedelta(hours=self.grant_grace_hours)

    @property
    def lockout_window(self) -> timedelta:
        """How long a directory counts a refused log-on."""
        return timedelta(minutes=self.lockout_window_minutes)

    @property
    def database_address(self) -> str:
        """The database's address, password included: never show it."""
        return self.database_url.get_secret_value() if self.database_url else f"sqlite:///{self.home / 'busytime.db'}"


def settings_file() -> Path:
    """Return where the settings file is, if there is one."""
    return Path(os.environ.get("BUSYTIME_CONFIG", _FILE))


def unknown_variables() -> list[str]:
    """Return a line for each variable of the environment that is called like a setting and is none."""
    known = {name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    called = {name: name[len(_PREFIX) :].upper() for name in sorted(os.environ) if name.upper().startswith(_PREFIX)}
    return [f"{name} is no setting{_like(it, known, _PREFIX)}" for name, it in called.items() if it not in known]


def _like(name: str, known: Iterable[str], prefix: str = "") -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def _in_words(fault: "ErrorDetails") -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] != "extra_forbidden":
        return f"{name}: {fault['msg'].removeprefix('Value error, ')}"
    return f"{name}: there is no such setting{_like(name, Settings.model_fields)}"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: Each wrong setting by its name, without its value.
    """
    file = os.environ.get("BUSYTIME_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError(f"BUSYTIME_CONFIG names {file}, which is not a file.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "; ".join(map(_in_words, error.errors(include_input=False)))
        raise ConfigurationError(f"A setting is wrong: {faults}. Settings stand in {file or _FILE} and in BUSYTIME_*.") from None
    except SettingsError as error:  # its words name the setting, and leave its value out
        raise ConfigurationError(f'A setting is wrong: {error}. A list is written as JSON, like ["busy"].') from None
    except ValueError as error:
        raise ConfigurationError(f"{file or _FILE} is not a TOML file: {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"{file or _FILE} cannot be read: {error.strerror}.") from None
