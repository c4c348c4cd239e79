"""`python -m deployments.sandbox`: the sandbox without the rest of the product."""

from __future__ import annotations

import argparse
import sys

from deployments.sandbox.options import SandboxOptions, read_ics
from deployments.sandbox.rights import RightsStyle
from deployments.sandbox.server import serve


def main(argv: list[str] | None = None) -> int:
    """Run the sandbox as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deployments.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8443, help="EWS port; 0 picks a free one")
    parser.add_argument("--control-port", type=int, default=8444, help="0 picks a free one")
    parser.add_argument("--owners", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ics", action="append", default=[], metavar="FILE=OWNER")
    parser.add_argument("--rights-style", choices=[str(one) for one in RightsStyle], default="exchange")
    parser.add_argument("--lock-after", type=int, default=0, metavar="N")
    parser.add_argument("--self-signed", action="store_true", help="sign the server's certificate with its own key")
    parser.add_argument("--warm", action="store_true", help="make every calendar before the start")
    parser.add_argument("--email", default="busytime@corp.example")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    given = vars(parser.parse_args(argv))
    try:
        given["ics"] = tuple(read_ics(one) for one in given["ics"])
        given["rights_style"] = RightsStyle(given["rights_style"])
        serve(SandboxOptions(**given))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
