"""What the server holds, in one value: what clients see and what the control interface changes."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.sandbox.directory import Directory
from deployments.sandbox.faults import Faults
from deployments.sandbox.journal import Journal
from deployments.sandbox.limits import Limits
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.tokens import Tokens


@dataclass(frozen=True, slots=True)
class State:
    """The organisation and everything around it."""

    organisation: Organisation
    directory: Directory
    tokens: Tokens
    limits: Limits
    faults: Faults
    journal: Journal
