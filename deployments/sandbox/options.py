"""How the sandbox is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from deployments.sandbox.rights import RightsStyle


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Everything that `busytime sandbox` and `python -m deployments.sandbox` can say."""

    port: int = 8443
    control_port: int = 8444
    owners: int = 25
    seed: int = 1
    ics: tuple[tuple[Path, str], ...] = ()
    rights_style: RightsStyle = RightsStyle.EXCHANGE
    lock_after: int = 0
    # Whether the server's certificate is its own authority.
    self_signed: bool = False
    json: bool = False
    exit_with_stdin: bool = False
    # Whether every calendar is made before the server says that it is ready (for benchmarks).
    warm: bool = False
    email: str = "busytime@corp.example"
    # None: a random one, new at each start.
    password: str | None = field(default=None, repr=False)
    # The day around which generated appointments lie. None: today.
    anchor: datetime | None = None


def read_ics(value: str) -> tuple[Path, str]:
    """Read `FILE=OWNER`.

    Raises:
        ValueError: It is not of that form, or the file is not there.
    """
    file, separator, owner = value.rpartition("=")
    if not separator or not file or "@" not in owner:
        raise ValueError(f"--ics {value}: write FILE=OWNER, OWNER being an e-mail address")
    if not Path(file).is_file():
        raise ValueError(f"--ics {value}: there is no file {file}")
    return Path(file), owner.lower()
