"""Prefect's server by itself, with the guard before its page: for a container or a machine of its own, until it is stopped.

Others reach it, so it starts only with a log-on. That, the database and where it listens are told by Prefect's own settings;
as in `busytime serve`, it is offline and quiet.
"""

import os
import sys

from busytime.errors import BusyTimeError, ConfigurationError
from config.settings import load_settings
from deployments.log_files import told_to_parts
from deployments.prefect_server import keep_quiet


def main() -> int:
    """Serve, and return the exit status."""
    try:
        _serve()
    except BusyTimeError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigurationError) else 1
    return 0


def _serve() -> None:
    settings = load_settings()
    os.environ.update(told_to_parts(settings))
    os.environ.setdefault("PREFECT_UI_API_URL", "/api")  # the page is seen under many names, and asks the API under the same
    keep_quiet(settings.home / "prefect")
    # Only now: Prefect reads its settings when it is imported.
    from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, get_current_settings  # noqa: PLC0415 -- as said above

    if not PREFECT_SERVER_API_AUTH_STRING.value():
        raise ConfigurationError(
            "Others can reach this server, so it starts only with a log-on: let PREFECT_PROFILES_PATH name a file that sets "
            "PREFECT_SERVER_API_AUTH_STRING; docs/operations.md shows how it is made."
        )
    import uvicorn  # noqa: PLC0415 -- costs seconds
    from prefect.server.api.server import create_app  # noqa: PLC0415 -- as above

    from deployments.page_guard import PageGuard  # noqa: PLC0415 -- as above

    place = get_current_settings().server.api
    uvicorn.run(PageGuard(create_app(final=True), demands_log_on=True), host=place.host, port=place.port, log_level="error")


if __name__ == "__main__":
    sys.exit(main())
