"""Settings come from one file and the environment over it; a wrong one is named, its value is not shown."""

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from busytime.errors import ConfigurationError
from busytime.model import BusyStatus
from config.settings import Settings, load_settings, unknown_variables


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a settings file and let the environment name it."""

    def write_file(text):
        path = tmp_path / "some.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("BUSYTIME_CONFIG", str(path))
        return path

    return write_file


def test_without_file_and_environment_there_are_defaults():
    settings = load_settings()
    assert settings.max_age == timedelta(minutes=30)
    assert settings.horizon_days == 60
    assert settings.busy_statuses == frozenset(BusyStatus)
    assert (settings.lockout_threshold, settings.lockout_window) == (5, timedelta(minutes=30))
    assert settings.database_address.endswith("/busytime.db")


def test_the_file_in_the_working_directory_is_read():
    Path("busytime.toml").write_text("horizon_days = 7\nbusy_statuses = ['busy', 'out_of_office']\n")
    settings = load_settings()
    assert settings.horizon_days == 7
    assert settings.busy_statuses == {BusyStatus.BUSY, BusyStatus.OUT_OF_OFFICE}


def test_another_file_is_read_when_it_is_named(write):
    Path("busytime.toml").write_text("horizon_days = 7\n")
    write("max_age_minutes = 5\n")
    settings = load_settings()
    assert (settings.max_age_minutes, settings.horizon_days) == (5, 60)


def test_the_environment_wins_over_the_file(write, monkeypatch):
    write("horizon_days = 7\nmax_age_minutes = 5\n")
    monkeypatch.setenv("BUSYTIME_HORIZON_DAYS", "9")
    monkeypatch.setenv("BUSYTIME_BUSY_STATUSES", '["tentative"]')
    settings = load_settings()
    assert (settings.horizon_days, settings.max_age_minutes) == (9, 5)
    assert settings.busy_statuses == {BusyStatus.TENTATIVE}


def test_an_argument_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("BUSYTIME_HORIZON_DAYS", "9")
    assert load_settings(horizon_days=3).horizon_days == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age_minutes", "0"),
        ("max_age_minutes", "sixty-six"),
        ("horizon_days", "99999"),
        ("batch_size", "101"),
        ("request_deadline_seconds", "nan"),
        ("batch_deadline_seconds", "-66.6"),
        ("lockout_threshold", "2"),
        ("blank_bookings_after_days", "0"),
        ("keep_history_days", "0"),
        ("keep_steps_days", "99999"),
        ("keep_events_days", "-66.6"),
        ("basic_in_flight", "0"),
        ("busy_statuses", '["lazy-bones"]'),
        ("busy_statuses", "lazy-bones"),
        ("schedule_time_zone", "Europe/lazy"),
        ("schedule_time_zone", "Europe"),
        ("schedule_time_zone", "../lazy"),
        ("schedule_time_zone", "/lazy"),
        ("schedule_time_zone", ""),
    ],
)
def test_a_wrong_value_in_the_environment_is_named_and_not_shown(monkeypatch, name, value):
    monkeypatch.setenv(f"BUSYTIME_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=name) as raised:
        load_settings()
    assert "TOML" not in str(raised.value)
    for part in ("sixty-six", "99999", "66.6", "lazy"):
        assert part not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_variables_that_are_no_settings_are_named_without_their_values(monkeypatch):
    for name in ("BUSYTIME_MAX_AGES", "busytime_hom", "BUSYTIME_ZZZ", "BUSYTIME_BATCH_SIZE", "BUSYTIME_CONFIG", "BUSYTIMES"):
        monkeypatch.setenv(name, "hunter2")
    assert unknown_variables() == [
        "BUSYTIME_MAX_AGES is no setting; did you mean BUSYTIME_MAX_AGE_MINUTES?",
        "BUSYTIME_ZZZ is no setting",
        "busytime_hom is no setting; did you mean BUSYTIME_HOME?",
    ]


def test_every_wrong_setting_is_named(write):
    path = write("max_age_minutes = 0\nhorizon_days = 'soon'\n")
    with pytest.raises(ConfigurationError, match=r"max_age_minutes.*horizon_days|horizon_days.*max_age_minutes") as raised:
        load_settings()
    assert str(path) in str(raised.value)
    assert "soon" not in str(raised.value)


def test_an_unknown_key_in_the_file_is_named_and_its_value_not_shown(write):
    write("max_age_minuets = 4711\n")
    with pytest.raises(
        ConfigurationError, match="max_age_minuets: there is no such setting; did you mean max_age_minutes"
    ) as raised:
        load_settings()
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize("text", ["home = \n", "= =", "[", b"\xff\xfe", "a = 'hunter2\n"])
def test_a_file_that_is_no_toml_is_refused_without_its_text(write, text):
    path = write(text)
    with pytest.raises(ConfigurationError, match="is not a TOML file") as raised:
        load_settings()
    assert str(path) in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_a_named_file_that_is_no_file_is_refused(monkeypatch, name):
    monkeypatch.setenv("BUSYTIME_CONFIG", name)
    with pytest.raises(ConfigurationError, match="BUSYTIME_CONFIG names"):
        load_settings()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that can be opened and not be read")
def test_a_file_that_cannot_be_read_is_refused(monkeypatch):
    monkeypatch.setenv("BUSYTIME_CONFIG", "/proc/self/mem")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings()


def test_home_and_key_file_are_absolute_and_know_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BUSYTIME_HOME", "~/busy")
    monkeypatch.setenv("BUSYTIME_KEY_FILE", "keys/one")
    settings = load_settings()
    assert settings.home == tmp_path / "busy"
    assert settings.key_file == Path.cwd() / "keys/one"


def test_secrets_do_not_show_in_the_settings(monkeypatch):
    monkeypatch.setenv("BUSYTIME_KEY", "hunter2")
    monkeypatch.setenv("BUSYTIME_DATABASE_URL", "postgresql://eva:hunter2@db/busytime")
    monkeypatch.setenv("BUSYTIME_ALARM_URLS", '["mailto://eva:hunter2@corp.example"]')
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.database_address == "postgresql://eva:hunter2@db/busytime"


def test_settings_do_not_leave_their_process(monkeypatch):
    monkeypatch.setenv("BUSYTIME_KEY", "hunter2")
    with pytest.raises(TypeError, match="do not leave their process"):
        pickle.dumps(load_settings())


def test_settings_do_not_change():
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.horizon_days = 1


def test_every_setting_says_what_it_is():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_settings_by_themselves_do_not_show_a_wrong_value(monkeypatch):
    monkeypatch.setenv("BUSYTIME_MAX_AGE_MINUTES", "sixty-six")
    with pytest.raises(ValueError, match="max_age_minutes") as raised:
        Settings()
    assert "sixty-six" not in str(raised.value)


@pytest.mark.parametrize("value", ["mailto://eva:hunter2@corp.example", '["mailto://eva:hunter2@corp.example"', '[["hunter2"]]'])
def test_receivers_of_alarms_that_are_no_list_are_refused_without_showing_them(monkeypatch, value):
    monkeypatch.setenv("BUSYTIME_ALARM_URLS", value)
    with pytest.raises(ConfigurationError, match="alarm_urls") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
