"""A process that opens runs in its own workspace: takes orders as lines, and answers each with one line."""

import sys

from busytime.errors import BusyTimeError
from busytime.model import RunStatus, Trigger
from tasks.runs import finish_run, open_run
from tasks.workspace import workspace


def main():
    print("ready", flush=True)
    opened = {}
    for line in sys.stdin:
        order, *arguments = line.split()
        if order == "finish":
            finish_run(workspace(), opened[int(arguments[0])], RunStatus.COMPLETED)
            print("finished", flush=True)
            continue
        try:
            run = open_run.fn(order, Trigger.MANUAL, alone=bool(arguments))
        except BusyTimeError as error:
            print(type(error).__name__, flush=True)
            continue
        opened[run.run_id] = run
        print(run.run_id, len(run.locks), flush=True)
    workspace().close()


if __name__ == "__main__":
    main()
