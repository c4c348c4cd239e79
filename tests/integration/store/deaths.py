"""How a process of the tests is killed at a certain call, without a chance to clean up."""

import importlib
import os
import signal


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
