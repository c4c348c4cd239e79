"""The folder of an export: every file is whole or not there, and the manifest comes last.

Files are written under temporary names beside their final ones. Only when all of them are on the disk, the manifest of
an earlier export is taken away, the files get their names, and the new manifest is written. So a manifest always tells
the truth about the files that it names, whenever the machine stops.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any

from busytime.errors import ConfigurationError, FatalError

MANIFEST = "manifest.json"
_LOCK = ".busytime-export.lock"
_SUFFIX = ".busytime-partial"
#: The place is right but has no room; everything else is a place that cannot be written to.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoRoomError(FatalError):
    """The disk is full, or a limit is reached."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export."""

    name: str
    view: str
    rows: int
    bytes: int
    sha256: str


class HashedFile(RawIOBase):
    """A file that is written once from its beginning to its end, and knows its length and its SHA-256."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._hash = hashlib.sha256()
        self.length = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def tell(self) -> int:
        """Return how much is written."""
        return self.length

    def write(self, content: Any) -> int:
        """Write all of it: a disk that takes a part is asked again, and then says why."""
        rest = memoryview(content).cast("B")
        whole = len(rest)
        while rest:
            written = os.write(self._file, rest)
            self._hash.update(rest[:written])
            self.length += written
            rest = rest[written:]
        return whole

    @property
    def sha256(self) -> str:
        """The checksum of what is written, in hexadecimal."""
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Return when the disk has it."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close it; once."""
        if not self.closed:
            super().close()
            os.close(self._file)


class ExportFolder:
    """A folder that belongs to one export until it is published or given up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []

    @contextmanager
    def writing(self, name: str) -> Iterator[HashedFile]:
        """Open a file under its temporary name; it gets its own by `publish`."""
        file = HashedFile(self._temporary(name))
        try:
            yield file
            file.sync()
        finally:
            file.close()
        self._waiting.append(name)

    def publish(self, manifest: dict[str, Any]) -> None:
        """Give all files their names, and write the manifest."""
        (self.path / MANIFEST).unlink(missing_ok=True)
        self._sync()
        for name in self._waiting:
            self._temporary(name).replace(self.path / name)
        self._sync()
        with self.writing(MANIFEST) as file:
            file.write((json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())
        self._temporary(MANIFEST).replace(self.path / MANIFEST)
        self._sync()

    def sweep(self) -> None:
        """Remove what an export left that was killed."""
        for left in self.path.glob(f".*{_SUFFIX}"):
            left.unlink(missing_ok=True)

    def earlier_files(self) -> set[str]:
        """Return the names in the manifest of an earlier export that are still there."""
        with suppress(OSError, ValueError, LookupError, TypeError):  # no manifest, or somebody else's
            files = json.loads((self.path / MANIFEST).read_bytes())["files"]
            return {name for file in files if "/" not in (name := file["name"]) and (self.path / name).is_file()}
        return set()

    def _temporary(self, name: str) -> Path:
        return self.path / f".{name}{_SUFFIX}"

    def _sync(self) -> None:
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def export_folder(path: Path) -> Iterator[ExportFolder]:
    """Open a folder for one export; it is made if need be, and nothing half-written stays in it.

    Raises:
        ConfigurationError: It cannot be written to, or another export is at work there.
        NoRoomError: The disk is full.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            folder = ExportFolder(path)
            folder.sweep()
            try:
                yield folder
            finally:
                folder.sweep()
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise NoRoomError(f"{path} has no room for the export ({error.strerror}). Make room, and run it again.") from None
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}. Choose another directory.") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other exports out; a file of its own because network file systems lock no directories."""
    with (path / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"Another export writes into {path}. Wait for it, or choose another directory.") from None
        yield
