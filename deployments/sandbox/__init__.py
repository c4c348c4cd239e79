"""A local Exchange server to try busytime against, and to test it with.

Independent of everything else here: it imports neither the product nor its EWS library, so that
an error in one cannot hide the same error in the other.
"""

from __future__ import annotations

from deployments.sandbox.options import SandboxOptions, read_ics
from deployments.sandbox.rights import RightsStyle
from deployments.sandbox.server import serve

__all__ = ["RightsStyle", "SandboxOptions", "read_ics", "serve"]
