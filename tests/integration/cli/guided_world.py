"""The command in a world where the sandbox is `corp.example`: run as a module, with the sandbox's port first.

The names of its certificate lead to it, and `mail.other.example` does too; all other names lead nowhere.
"""

import sys
import urllib.parse

import pytest

from deployments.cli.main import main
from tests.integration.ews.finding import world

HOSTS = ("corp.example", "autodiscover.corp.example", "mail.corp.example", "localhost")


def lead(names, port):
    """Lead the names of the sandbox's certificate to its port."""
    for host in HOSTS:
        names.lead(host, 443, port)
        names.lead(host, port, port)


def port_of(exchange):
    return urllib.parse.urlsplit(exchange.ews_url).port


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch, world(patch) as known:
        lead(known, int(sys.argv[1]))
        status = main(sys.argv[2:])
    sys.exit(status)
