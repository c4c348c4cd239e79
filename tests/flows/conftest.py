"""Takes in the shared fixtures."""

from tests.flows.fixtures import clock, exchange, home, person, prefect_api, prefect_home, shared_exchange, usual_limits
from tests.flows.pushing import connected_home, diary, scene_diary

__all__ = [
    "clock",
    "connected_home",
    "diary",
    "exchange",
    "home",
    "person",
    "prefect_api",
    "prefect_home",
    "scene_diary",
    "shared_exchange",
    "usual_limits",
]
