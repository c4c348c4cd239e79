"""`busytime` in a process that is killed at a certain call: ``python -m ... CALL NUMBER before|after ARGUMENTS``."""

import sys

from deployments.cli.main import main
from tests.integration.store.deaths import die_at

if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]), before=sys.argv[3] == "before")
    sys.exit(main(sys.argv[4:]))
