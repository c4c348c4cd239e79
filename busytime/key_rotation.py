"""What a rotation of the master key has to do next, seen from the keys at hand and the keys in use.

It is asked anew each time, so a rotation that was interrupted anywhere is finished by the next one.
Pure: the standard library only.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

from busytime.errors import ConfigurationError


class RotationStep(StrEnum):
    """Where a rotation begins; each step is followed by the ones below it."""

    MAKE_KEY = "make_key"
    REWRAP = "rewrap"
    DROP_OLD = "drop_old"


def next_step(held: Sequence[str], used: Collection[str], *, source: str, ours: bool) -> RotationStep:
    """Decide where to begin.

    Args:
        held: Names of the keys at hand, the active one first.
        used: Names of the keys that wrap anything; each is at hand.
        source: What the keys came from, as it is called in messages.
        ours: Whether busytime writes that source itself, as it does a key file.

    Raises:
        ConfigurationError: There is no new key, and it is not for busytime to make one.
    """
    if set(used) != {held[0]}:
        return RotationStep.REWRAP
    if ours:
        return RotationStep.DROP_OLD if len(held) > 1 else RotationStep.MAKE_KEY
    left_over = " The other keys in it are not in use any more and can be taken out." if len(held) > 1 else ""
    raise ConfigurationError(
        f"Everything is under the first key of {source} already, and nothing was changed.{left_over} To rotate, make a key with "
        f"`openssl rand -base64 32`, let {source} hold it on a line before the present one, and run `busytime keys rotate` again."
    )
