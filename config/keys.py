"""Where the master key comes from: the environment, or a key file that only its owner can read."""

import os
import stat
from pathlib import Path

from busytime.errors import ConfigurationError, KeyMissingError
from config.settings import Settings


class KeyFileError(KeyMissingError):
    """The key file is there and cannot be trusted or read."""


def key_path(settings: Settings) -> Path:
    """Return where the key file lies."""
    return settings.key_file or settings.home / "key"


def read_key_text(settings: Settings) -> str | None:
    """Return the master key as text; ``None`` where there is none yet.

    Raises:
        KeyFileError: The file can be read by others, belongs to somebody else, or cannot be read.
    """
    if settings.key is not None:
        return settings.key.get_secret_value()
    path = key_path(settings)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if settings.key_file is not None:
            raise KeyFileError(f"BUSYTIME_KEY_FILE names {path}, which is not there: restore it.") from None
        return None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        _check_access(os.fstat(file.fileno()), path)
        return file.read(1024)


def _check_access(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"The key file {path} is not a regular file.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(f"The key file {path} can be read by others: run `chmod 600 {path}`.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeyFileError(f"The key file {path} belongs to another user: run `chown {os.geteuid()} {path}`.")


def write_key_file(settings: Settings, text: str) -> None:
    """Write a new key file, mode 0600; never over an existing one.

    Raises:
        ConfigurationError: It cannot be written.
    """
    path = key_path(settings)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be written: {error.strerror}.") from None
