"""Takes in the shared fixtures."""

from tests.flows.fixtures import clock, exchange, home, person, prefect_api, prefect_home, shared_exchange, usual_limits

__all__ = ["clock", "exchange", "home", "person", "prefect_api", "prefect_home", "shared_exchange", "usual_limits"]
