"""The log-on of Prefect's API, for a server that other machines can reach: made once, kept in one file, said to nobody."""

import os
import secrets
import stat
from pathlib import Path

from busytime.errors import ConfigurationError

_USER = "busytime"
_BYTES = 32


def password_file(prefect_home: Path) -> Path:
    """Return where it lies."""
    return prefect_home / "api-password"


def api_password(prefect_home: Path) -> str:
    """Return the log-on as Prefect takes it, ``USER:PASSWORD``; one that is not there yet is made, mode 0600.

    Raises:
        ConfigurationError: The file cannot be made or read, is empty, or others can read it.
    """
    path = password_file(prefect_home)
    try:
        _make(path)
        with path.open(encoding="ascii") as file:
            _check_access(os.fstat(file.fileno()), path)
            text = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"The password of Prefect's API, {path}, cannot be used: {cause}.") from None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ConfigurationError(f"{path} holds no USER:PASSWORD: remove it, and `busytime serve` makes a new one.")
    return text


def _make(path: Path) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    if path.exists():
        return
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{_USER}:{secrets.token_urlsafe(_BYTES)}\n")
        path.hardlink_to(part)  # all of it or nothing
    except FileExistsError:
        pass  # another process was first: its password is the one
    finally:
        part.unlink()


def _check_access(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to another user: run `chown {os.geteuid()} {path}`.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigurationError(f"{path} can be read by others: run `chmod 600 {path}`; if others may have read it, remove it.")
