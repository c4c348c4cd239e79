"""A process that upgrades its home when it is told to, and says what it did: ``python -m ... [CALL NUMBER before|after]``.

With a call it is killed there, without a chance to clean up.
"""

import json
import sys

from busytime.errors import BusyTimeError
from tasks.workspace import open_workspace
from tests.integration.store.deaths import die_at


def main(death):
    if death:
        die_at(death[0], int(death[1]), before=death[2] == "before")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        office = open_workspace(upgrading=True)
    except BusyTimeError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    done = office.upgrade
    office.close()
    print(json.dumps({"before": done.before, "after": done.after, "backup": done.backup and str(done.backup)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
