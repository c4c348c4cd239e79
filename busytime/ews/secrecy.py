"""What holds a secret is never written down: no pickle, so no queue, cache or other process gets it by accident."""

from typing import NoReturn


class KeepsSecret:
    """Something that holds a secret, or is as good as one."""

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError(f"A {type(self).__name__} is not pickled: it holds a password, or what stands for one.")
