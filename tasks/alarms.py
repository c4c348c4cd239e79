"""The step of a watch: looks what stands, and tells the receivers."""

from prefect import task

from tasks.receivers import open_receivers
from tasks.steps import RETRIED
from tasks.telling import Told, look_and_tell
from tasks.workspace import workspace


@task(name="tell_alarms", **RETRIED)
def tell_alarms() -> Told:
    """Look what stands, and tell the receivers what they do not know yet; a second look tells nothing twice."""
    office = workspace()
    return look_and_tell(office, open_receivers(office.settings))
