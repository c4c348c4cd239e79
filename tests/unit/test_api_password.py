"""The log-on of Prefect's API is made once and kept where nobody else reads it."""

import os

import pytest

from busytime.errors import ConfigurationError
from deployments.api_password import api_password, password_file


def test_a_log_on_is_made_once_and_is_its_owners_alone(tmp_path):
    made = api_password(tmp_path)
    assert made.startswith("busytime:")
    assert len(made) > 40
    assert password_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert api_password(tmp_path) == made
    assert [it.name for it in tmp_path.iterdir()] == ["api-password"]


def test_two_homes_have_different_ones(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert api_password(tmp_path / "a") != api_password(tmp_path / "b")


def test_one_that_others_can_read_is_refused_with_the_command(tmp_path):
    path = password_file(tmp_path)
    path.write_text("busytime:secret")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match=f"run `chmod 600 {path}`") as raised:
        api_password(tmp_path)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "busytime", "busytime:", ":secret", "busytime:sécret", f"busytime:{'x' * 2000}"])
def test_what_is_no_log_on_is_refused_with_the_next_step(tmp_path, text):
    path = password_file(tmp_path)
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds no USER:PASSWORD: remove it"):
        api_password(tmp_path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(password_file(tmp_path), 0o600)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        api_password(tmp_path)


def test_a_home_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        api_password(tmp_path / "absent")
