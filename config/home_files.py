"""Files and directories that busytime makes in its home: what lies in their place and cannot be used is told by its path."""

import errno
import os
import stat
from pathlib import Path
from typing import IO, Any

from busytime.errors import ConfigurationError

_AGAIN = "move it away, and run the command again, which makes a new one"
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def make_directory(path: Path, name: str = "The directory") -> None:
    """Make a directory for its owner alone, if it is not there yet.

    Args:
        path: Where.
        name: What it is called in messages.

    Raises:
        ConfigurationError: Something else lies there, or it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigurationError(f"{name} {path} is no directory: {_AGAIN}.") from None
    except OSError as error:
        raise _unusable(path, name, error) from None


def open_file(path: Path, mode: str, name: str = "The file") -> IO[Any]:
    """Open a file, and never wait for it as for a pipe.

    Args:
        path: Where it lies.
        mode: How to open it; text is UTF-8.
        name: What it is called in messages.

    Raises:
        ConfigurationError: Something else lies there, or it cannot be opened.
    """
    try:
        return open(path, mode, encoding=None if "b" in mode else "utf-8", opener=_open_now)
    except OSError as error:
        if error.errno in {errno.EISDIR, errno.ENXIO}:
            raise ConfigurationError(f"{name} {path} is no file: {_AGAIN}.") from None
        raise _unusable(path, name, error) from None


def _open_now(path: str, flags: int) -> int:
    """Open a file; one end of a pipe would be waited for, until somebody opens the other."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), path)
    os.set_blocking(descriptor, True)
    return descriptor


def _unusable(path: Path, name: str, error: OSError) -> ConfigurationError:
    allow = "let the user who runs busytime write there" if error.errno in _NOT_ALLOWED else "put that right"
    return ConfigurationError(f"{name} {path} cannot be used: {error.strerror}. Next: {allow}, and run the command again.")
