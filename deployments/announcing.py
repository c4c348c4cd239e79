"""Announcing what a command did to the Prefect server that runs already: the one that the user named, or that serves the home."""

from busytime.errors import ConfigurationError
from deployments.prefect_server import server_at_hand
from tasks.announcing import Happening, announce
from tasks.workspace import Workspace


def announce_here(office: Workspace, what: Happening, about: str) -> None:
    """Announce what happened, if a server is at hand; none is started.

    Args:
        office: The opened home.
        what: What happened; it is in the database already.
        about: To what it happened; never an address.
    """
    try:
        server = server_at_hand(office.settings.home / "prefect")
    except ConfigurationError:  # its log-on cannot be read; what happened is looked for all the same
        return
    announce(what, about, server)
