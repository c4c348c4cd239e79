"""Files that commands write: whole or not at all."""

import os
import tempfile
from pathlib import Path

from busytime.errors import ConfigurationError


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that nobody ever sees half of it, and return its path.

    Raises:
        ConfigurationError: It cannot be written; what stood there before stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}. Choose another directory.") from None
    return path
