"""Settings that `busytime serve` cannot run by: one message that names the setting, and nothing is started."""

from __future__ import annotations

import pytest

from tests.flows.harness import spared

WRONG = {
    "HARVEST_SCHEDULE": (
        "every five minutes",
        "harvest_schedule: no cron expression; five fields, like */5 * * * *",
    ),
    "VALIDATE_SCHEDULE": ("61 3 * * *", "validate_schedule: no cron expression"),
    "MAINTAIN_SCHEDULE": ("0 0 30 2 *", "maintain_schedule: no cron expression"),
    "SCHEDULE_TIME_ZONE": ("Berlin", "schedule_time_zone: no IANA name of a time zone, like Europe/Berlin"),
    "SHARD_SIZE": ("many", "shard_size: Input should be a valid integer"),
    "LOG_FORMAT": ("xml", "log_format: Input should be 'text' or 'json'"),
    "MAX_AGE_MINUTES": ("0", "max_age_minutes: Input should be greater than or equal to 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_clear_message(home, name):
    value, message = WRONG[name]
    home.more[f"BUSYTIME_{name}"] = value
    refused = home.call("serve").ended(2)
    assert message in spared(refused.err)
    assert "Settings stand in busytime.toml and in BUSYTIME_*" in spared(refused.err)
    assert refused.out == ""
    assert not home.path.exists()


def test_a_schedule_with_seconds_is_refused(home):
    home.more["BUSYTIME_HARVEST_SCHEDULE"] = "*/5 * * * * *"
    assert "five fields" in spared(home.call("serve").ended(2).err)


def test_one_port_for_page_and_figures_is_refused(home):
    assert (
        "--port and --metrics-port are both 4711" in home.call("serve", "--port", "4711", "--metrics-port", "4711").ended(2).err
    )


@pytest.mark.parametrize("arguments", [("--port", "99999"), ("--metrics-port", "zero"), ("--host", "no.such.name.invalid")])
def test_a_wrong_argument_is_one_clear_message(home, arguments):
    refused = home.call("serve", *arguments).ended(2)
    assert arguments[0] in refused.err
    assert len(refused.err.strip().splitlines()) <= 2
