"""How the two scripts with exchangelib log on: no guessing of version or authentication, two connections."""

import os

from exchangelib import DELEGATE, UTC, Account, Build, Configuration, Credentials, EWSDateTime, Version

from tests.benchmarks.contender import IN_FLIGHT, Facts


def configure(facts: Facts) -> Configuration:
    os.environ["REQUESTS_CA_BUNDLE"] = facts.ca_file
    return Configuration(
        credentials=Credentials(facts.email, facts.password),
        service_endpoint=facts.ews_url,
        auth_type="basic",
        version=Version(Build(15, 0, 847, 32)),
        max_connections=IN_FLIGHT,
    )


def open_account(address: str, configuration: Configuration) -> Account:
    return Account(address, config=configuration, autodiscover=False, access_type=DELEGATE, default_timezone=UTC)


def window(facts: Facts) -> tuple[EWSDateTime, EWSDateTime]:
    start, end = (
        EWSDateTime(instant.year, instant.month, instant.day, instant.hour, instant.minute, tzinfo=UTC)
        for instant in (facts.window_start, facts.window_end)
    )
    return start, end
