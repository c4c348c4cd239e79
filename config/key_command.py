"""The key command: a program of the operator's that prints the master keys, asked without a shell and not for long.

Who can say which program runs can run any, so the command is taken only from a settings file that nobody else can write.
"""

import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from busytime.errors import ConfigurationError, KeyMissingError

_DEADLINE_SECONDS = 30.0
_BY_HAND = "Run it by hand to see why; its output is not shown here, because it may be the key"


_READ = (0o077, "read", "chmod 600")
#: What a settings file may hold only if others cannot do this with it: the bits, the word, and the remedy.
_DANGERS = {"a key": _READ, "alarm_urls": _READ, "a key_command": (0o022, "written", "chmod go-w")}


def check_trusted(status: os.stat_result, path: Path, names: Collection[str]) -> None:
    """Refuse a settings file with secrets that others can read, or with a key command that others could have written.

    Args:
        status: Of the file, opened.
        path: Where it lies.
        names: The settings in it.

    Raises:
        ConfigurationError: It says the command that puts it right.
    """
    for secret, (bits, done, remedy) in _DANGERS.items():
        if secret.removeprefix("a ") not in names:
            continue
        if status.st_uid not in {os.geteuid(), 0}:
            raise ConfigurationError(f"{path} has {secret} and belongs to another user: run `chown {os.geteuid()} {path}`.")
        if stat.S_IMODE(status.st_mode) & bits:
            raise ConfigurationError(f"{path} has {secret} and can be {done} by others: run `{remedy} {path}`.")


def command_output(command: Sequence[str], most_bytes: int, deadline_seconds: float = _DEADLINE_SECONDS) -> str:
    """Run the key command and return what it printed; none of that is ever part of a message.

    Args:
        command: Program and arguments.
        most_bytes: A longer output is no key.
        deadline_seconds: After that it is stopped, with all that it started.

    Raises:
        KeyMissingError: It cannot be run, fails, takes too long or prints too much.
    """
    deadline = time.monotonic() + deadline_seconds
    try:
        # A session of its own, so that what it started ends with it. Its messages may repeat what it read: away with them.
        process = subprocess.Popen(  # noqa: S603 -- the command comes from a settings file that was checked
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it has a sign that no command can have"
        raise KeyMissingError(f"The key_command {command[0]!r} cannot be run: {cause}. Nothing was changed.") from None
    with process:
        try:
            output = _read(process, most_bytes, deadline)
            status = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise KeyMissingError(
                f"The key_command {command[0]!r} gave no answer within {deadline_seconds:g} s. Nothing was changed."
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if status != 0:
        raise KeyMissingError(f"The key_command {command[0]!r} ended with status {status}. {_BY_HAND}.")
    return output.decode("ascii", "replace")


def _read(process: subprocess.Popen[bytes], most_bytes: int, deadline: float) -> bytes:
    if process.stdout is None:
        raise TimeoutError
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(output) <= most_bytes:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), most_bytes + 1)
            if not piece:
                return output
            output += piece
    raise KeyMissingError(f"The key_command prints more than {most_bytes} bytes, which is no key. {_BY_HAND}.")
