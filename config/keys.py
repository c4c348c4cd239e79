"""Where the master keys come from: the environment, a command, or a key file that only its owner can read.

Each source holds one key or several, one a line; the first is the active one. They are texts here: what a key is, the
vault knows.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from busytime.errors import ConfigurationError, KeyMissingError
from config.key_command import command_output
from config.private_files import PrivateFileError, read_private_file, write_private_file
from config.settings import Settings

#: Twenty keys: more than ever have to be readable at once.
MOST_BYTES = 1024
_NAME = "The key file"
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
        text = read_private_file(path, _NAME, MOST_BYTES)
    except PrivateFileError as error:
        raise KeyFileError(str(error)) from None
    return None if text is None else _split(text, KeySource.FILE, f"{_NAME} {path}")


def _split(text: str, source: KeySource, name: str) -> KeyTexts:
    if len(text) > MOST_BYTES:
        raise KeyMissingError(f"{name} holds more than {MOST_BYTES} bytes, so these are not keys: restore it.")
    texts = tuple(filter(None, _SEPARATORS.split(text)))
    if not texts:
        raise KeyMissingError(f"{name} is empty: restore the key. Nothing was changed.")
    return KeyTexts(source, texts)


def write_key_file(path: Path, texts: Sequence[str], *, replacing: bool = False) -> None:
    """Write a key file, mode 0600: all of it or nothing, and on the disk when this returns.

    Args:
        path: Where it lies.
        texts: The keys, the active one first.
        replacing: Put it in the place of the present one; otherwise a file that is there stays.

    Raises:
        ConfigurationError: It cannot be written.
    """
    write_private_file(path, _NAME, "".join(f"{text}\n" for text in texts), replacing=replacing)


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
