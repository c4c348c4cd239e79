"""Files that hold a secret: read by their owner alone, and written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

from busytime.errors import ConfigurationError


class PrivateFileError(ConfigurationError):
    """A private file is there and cannot be trusted or read, or cannot be written."""


def read_private_file(path: Path, name: str, most_bytes: int) -> str | None:
    """Return what a file holds, a byte more than `most_bytes` at most; ``None`` where there is none.

    Args:
        path: Where it lies.
        name: What it is called in messages.
        most_bytes: As much as it may hold; who asks refuses more.

    Raises:
        PrivateFileError: Others can read it, it belongs to somebody else, it is no regular file, or it cannot be read.
    """
    try:
        # A pipe that nobody writes to must not hold us up; a link would let somebody else choose the file.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PrivateFileError(f"{name} {path} is a link: put the file itself there, or name the one it leads to.") from None
        raise PrivateFileError(f"{name} {path} cannot be read: {error.strerror}.") from None
    try:
        _check_access(os.fstat(descriptor), path, name)
        return os.read(descriptor, most_bytes + 1).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _check_access(status: os.stat_result, path: Path, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PrivateFileError(f"{name} {path} is not a regular file.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PrivateFileError(
            f"{name} {path} can be read by others: run `chmod 600 {path}`; if they may have done so, renew it."
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise PrivateFileError(f"{name} {path} belongs to another user: run `chown {os.geteuid()} {path}`.")


def write_private_file(path: Path, name: str, text: str, *, replacing: bool = False) -> None:
    """Write a file, mode 0600: all of it or nothing, and on the disk when this returns.

    Args:
        path: Where it lies.
        name: What it is called in messages.
        text: What it is to hold.
        replacing: Put it in the place of the present one; otherwise a file that is there stays.

    Raises:
        PrivateFileError: It cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed while it wrote
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
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
        raise PrivateFileError(f"{name} {path} cannot be written: {error.strerror}.") from None


def _sync_directory(directory: Path) -> None:
    """Let a name reach the disk, too: what needs a secret must never be there before it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
