"""A process that opens a workspace when it is told to: waits for a line, then says what it found."""

import json
import sys

from tasks.workspace import open_workspace


def main():
    print("ready", flush=True)
    sys.stdin.readline()
    office = open_workspace()
    print(json.dumps({"installation": office.store.installation_id, "key": office.desk.vault.key_id}), flush=True)
    office.close()


if __name__ == "__main__":
    main()
