"""`busytime` in a process that is killed at a certain call: ``python -m ... CALL NUMBER before|after ARGUMENTS``."""

import importlib
import os
import signal
import sys

from deployments.cli.main import main


def die_at(call, number, *, before):
    """Let the process be killed around a call of a function or method, named as ``module:name``."""
    module, _, name = call.partition(":")
    *path, name = name.split(".")
    owner = importlib.import_module(module)
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), []

    def dying(*args, **kwargs):
        calls.append(1)
        last = len(calls) == number
        if last and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]), before=sys.argv[3] == "before")
    sys.exit(main(sys.argv[4:]))
