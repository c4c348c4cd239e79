"""Where the master key comes from: the environment, or a key file that only its owner can read."""

import os
import stat
from pathlib import Path

from busytime.errors import ConfigurationError, KeyMissingError
from config.settings import Settings

_MOST_BYTES = 1024


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
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to must not hold us up
    except FileNotFoundError:
        if settings.key_file is not None:
            raise KeyFileError(f"BUSYTIME_KEY_FILE names {path}, which is not there: restore it.") from None
        return None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    try:
        _check_access(os.fstat(descriptor), path)
        return os.read(descriptor, _MOST_BYTES).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _check_access(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"The key file {path} is not a regular file.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(f"The key file {path} can be read by others: run `chmod 600 {path}`.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeyFileError(f"The key file {path} belongs to another user: run `chown {os.geteuid()} {path}`.")


def write_key_file(settings: Settings, text: str) -> None:
    """Write a new key file, mode 0600: the whole key or none, and never over an existing file.

    Raises:
        ConfigurationError: It cannot be written.
    """
    path = key_path(settings)
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed while it wrote
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(part)  # unlike a rename it refuses to replace
        finally:
            part.unlink()
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be written: {error.strerror}.") from None
