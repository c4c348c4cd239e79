"""The log-on of Prefect's API, for a server that other machines can reach: made once, kept in one file, said to nobody."""

import secrets
from pathlib import Path

from busytime.errors import ConfigurationError
from config.private_files import read_private_file, write_private_file

_USER = "busytime"
_BYTES = 32
_MOST_BYTES = 1024
_NAME = "The API's password file"


def password_file(prefect_home: Path) -> Path:
    """Return where it lies."""
    return prefect_home / "api-password"


def api_password(prefect_home: Path) -> str:
    """Return the log-on as Prefect takes it, ``USER:PASSWORD``; one that is not there yet is made, mode 0600.

    Raises:
        ConfigurationError: The file cannot be made or read, holds no log-on, or others can read it.
    """
    path = password_file(prefect_home)
    text = read_private_file(path, _NAME, _MOST_BYTES)
    if text is None:
        text = f"{_USER}:{secrets.token_urlsafe(_BYTES)}\n"
        write_private_file(path, _NAME, text)
    text = text.strip()
    user, colon, password = text.partition(":")
    if len(text) > _MOST_BYTES or not (user and colon and password and text.isascii()):
        raise ConfigurationError(f"{path} holds no USER:PASSWORD: remove it, and `busytime serve` makes a new one.")
    return text
