"""A command on a leash: it ends when the process that started it does, however that ends, and with it all that it started.

Run as a module with a command: it starts the command in a process group of its own, and ends the group when its standard
input closes, which the system sees to when the parent dies, also by a signal that nobody can catch.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_PATIENCE_SECONDS = 20.0


def main() -> int:
    """Run the command, and return its exit status."""
    ended = threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _end(process, ended)

    def pass_on(*_: object) -> None:
        threading.Thread(target=_end, args=(process, ended), daemon=True).start()

    # Before it starts: a shell lets what it starts in the background ignore SIGINT, and so would the command, which a
    # handler here sets right.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 -- what the parent says
    threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    ended.set()
    _signal(process, signal.SIGKILL)  # what it left behind
    return status


def _end(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    _signal(process, signal.SIGTERM)
    if not ended.wait(_PATIENCE_SECONDS):
        _signal(process, signal.SIGKILL)


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main())
