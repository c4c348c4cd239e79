"""A process that probes as a run does, and may be killed meanwhile: started with a home, it takes orders as lines."""

import sys
from pathlib import Path

from busytime.model import Trigger
from config.settings import load_settings
from tasks.workspace import open_workspace


def main():
    office = open_workspace(load_settings(home=Path(sys.argv[1]), request_deadline_seconds=20))
    print("ready", flush=True)
    for _ in sys.stdin:
        with office.store.write() as unit:
            [connection] = unit.connections.all_open()
            run_id = unit.runs.open("harvest_busy_time", Trigger.MANUAL, unit.owners.id("person@host"), office.clock.now())
            office.store.take_lock(unit, "harvest_busy_time:1:0", run_id)
        office.log_on(connection, run_id)
        print("probed", flush=True)
    office.close()


if __name__ == "__main__":
    main()
