"""Where the master keys come from: the environment, a command, or a key file that only its owner can read.

Each source holds one key or several, one a line; the first is the active one. They are texts here: what a key is, the
vault knows.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from busytime.errors import ConfigurationError, KeyMissingError
from config.key_command import command_output
from config.settings import Settings

#: Twenty keys: more than ever have to be readable at once.
MOST_BYTES = 1024
_SEPARATORS = re.compile(r"[\s,]+")


class KeyFileError(KeyMissingError):
    """The key file is there and cannot be trusted or read."""


class KeySource(StrEnum):
    """Where keys come from; a source that stands before another one wins."""

    VARIABLE = "BUSYTIME_KEY"
    COMMAND = "key_command"
    FILE = "key_file"


@dataclass(frozen=True, slots=True)
class KeyTexts:
    """The keys of a source as text, the active one first.

    Args:
        source: Where they came from.
        texts: One at least.
    """

    source: KeySource
    texts: tuple[str, ...] = field(repr=False)


def key_path(settings: Settings) -> Path:
    """Return where the key file lies."""
    return settings.key_file or settings.home / "key"


def key_source(settings: Settings) -> KeySource:
    """Return where the keys come from."""
    if settings.key is not None:
        return KeySource.VARIABLE
    return KeySource.FILE if settings.key_command is None else KeySource.COMMAND


def read_keys(settings: Settings) -> KeyTexts | None:
    """Return the master keys as texts; ``None`` where there is no key file yet.

    Raises:
        KeyFileError: The file can be read by others, belongs to somebody else, or cannot be read.
        KeyMissingError: The source holds no key, or more than keys.
    """
    if settings.key is not None:
        return _split(settings.key.get_secret_value(), KeySource.VARIABLE, "BUSYTIME_KEY")
    if settings.key_command is not None:
        return _split(command_output(settings.key_command, MOST_BYTES), KeySource.COMMAND, "The key_command's output")
    found = read_key_file(key_path(settings))
    if found is None and settings.key_file is not None:
        raise KeyFileError(f"BUSYTIME_KEY_FILE names {settings.key_file}, which is not there: restore it.")
    return found


def read_key_file(path: Path) -> KeyTexts | None:
    """Return the keys of a file; ``None`` where there is none.

    Raises:
        KeyFileError: It can be read by others, belongs to somebody else, or cannot be read.
        KeyMissingError: It holds no key, or more than keys.
    """
    try:
        # A pipe that nobody writes to must not hold us up; a link would let somebody else choose the file.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise KeyFileError(f"The key file {path} is a link: let BUSYTIME_KEY_FILE name the file itself.") from None
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    try:
        _check_access(os.fstat(descriptor), path)
        text = os.read(descriptor, MOST_BYTES + 1).decode("ascii", "replace")
    finally:
        os.close(descriptor)
    return _split(text, KeySource.FILE, f"The key file {path}")


def _split(text: str, source: KeySource, name: str) -> KeyTexts:
    if len(text) > MOST_BYTES:
        raise KeyMissingError(f"{name} holds more than {MOST_BYTES} bytes, so these are not keys: restore it.")
    texts = tuple(filter(None, _SEPARATORS.split(text)))
    if not texts:
        raise KeyMissingError(f"{name} is empty: restore the key. Nothing was changed.")
    return KeyTexts(source, texts)


def _check_access(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"The key file {path} is not a regular file.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(f"The key file {path} can be read by others: run `chmod 600 {path}`.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeyFileError(f"The key file {path} belongs to another user: run `chown {os.geteuid()} {path}`.")


def write_key_file(path: Path, texts: Sequence[str], *, replacing: bool = False) -> None:
    """Write a key file, mode 0600: all of it or nothing, and on the disk when this returns.

    Args:
        path: Where it lies.
        texts: The keys, the active one first.
        replacing: Put it in the place of the present one; otherwise a file that is there stays.

    Raises:
        ConfigurationError: It cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed while it wrote
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{text}\n" for text in texts)
            file.flush()
            os.fsync(file.fileno())
        try:
            if replacing:
                part.replace(path)
            else:
                path.hardlink_to(part)  # unlike a rename it refuses to replace
        finally:
            part.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be written: {error.strerror}.") from None


def _sync_directory(directory: Path) -> None:
    """Let a name reach the disk, too: rows that need a key must never be there before it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def rotating(settings: Settings) -> Iterator[None]:
    """Let one process at a time rotate the keys of a key file.

    Raises:
        ConfigurationError: Another one does so now, or the directory cannot be written.
    """
    lock = key_path(settings).with_name(f"{key_path(settings).name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"Beside the key file, {lock} cannot be written: {error.strerror}. Nothing was changed."
        ) from None
    with os.fdopen(descriptor, "r+b"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError("Another `busytime keys rotate` is at work: wait until it has ended.") from None
        yield
