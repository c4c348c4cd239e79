"""The key command runs without a shell, for a while and from a trusted file only; nothing it prints is ever shown."""

import os
import sys
import time
from pathlib import Path

import pytest

from busytime.errors import ConfigurationError, KeyMissingError
from config.key_command import command_output
from config.keys import MOST_BYTES, read_keys
from config.settings import Settings, load_settings

KEY = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a settings file and let the environment name it."""

    def write_file(text, mode=0o600):
        path = tmp_path / "some.toml"
        path.write_text(text)
        path.chmod(mode)
        monkeypatch.setenv("BUSYTIME_CONFIG", str(path))
        return path

    return write_file


def gone(process_id):
    """Tell whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def python(code):
    return [sys.executable, "-c", code]


def test_its_output_is_the_key(write):
    write(f'key_command = ["/bin/echo", "{KEY}"]', 0o644)
    assert read_keys(load_settings()).texts == (KEY,)


def test_it_is_run_without_a_shell():
    assert command_output(["/bin/echo", "$HOME; `id` > x"], MOST_BYTES) == "$HOME; `id` > x\n"


@pytest.mark.parametrize("mode", [0o660, 0o622, 0o666, 0o602])
def test_a_settings_file_that_others_can_write_is_refused_with_the_remedy(write, mode):
    path = write(f'key_command = ["touch", "{os.devnull}"]', mode)
    with pytest.raises(ConfigurationError, match=f"has a key_command and can be written by others: run `chmod go-w {path}`"):
        load_settings()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_settings_file_with_a_key_that_others_can_read_is_refused_with_the_remedy(write, mode):
    path = write(f'key = "{KEY}"', mode)
    with pytest.raises(ConfigurationError, match=f"has a key and can be read by others: run `chmod 600 {path}`") as raised:
        load_settings()
    assert KEY not in str(raised.value)


def test_a_settings_file_with_receivers_of_alarms_that_others_can_read_is_refused_with_the_remedy(write):
    text = 'alarm_urls = ["json://admin:hunter2@127.0.0.1"]'
    path = write(text, 0o640)
    with pytest.raises(ConfigurationError, match=f"has alarm_urls and can be read by others: run `chmod 600 {path}`") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
    write(text)
    assert [it.get_secret_value() for it in load_settings().alarm_urls] == ["json://admin:hunter2@127.0.0.1"]


@needs_root
@pytest.mark.parametrize("text", ['key_command = ["true"]', f'key = "{KEY}"', 'alarm_urls = ["json://x"]'])
def test_a_settings_file_of_another_user_is_refused_with_the_remedy(write, text):
    path = write(text)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigurationError, match=f"belongs to another user: run `chown 0 {path}`"):
        load_settings()


def test_a_settings_file_without_a_key_may_be_anybodys(write):
    write("horizon_days = 7", 0o666)
    assert load_settings().horizon_days == 7


@pytest.mark.parametrize("name", ["BUSYTIME_KEY_COMMAND", "busytime_key_command"])
@pytest.mark.parametrize("load", [load_settings, Settings])
def test_it_is_not_taken_from_the_environment(monkeypatch, write, name, load):
    write('key_command = ["true"]')
    monkeypatch.setenv(name, '["touch", "x"]')
    with pytest.raises(ConfigurationError, match="not taken from the environment: write key_command into the settings file"):
        load()


@pytest.mark.parametrize("text", ["[]", '"one word"', "[1]"])
def test_it_is_a_list_of_words(write, text):
    write(f"key_command = {text}")
    with pytest.raises(ConfigurationError, match="key_command"):
        load_settings()


def test_it_does_not_depend_on_the_working_directory(write):
    write('key_command = ["./key"]')
    with pytest.raises(ConfigurationError, match="depends on the working directory"):
        load_settings()


def test_beside_a_key_file_it_is_refused(write):
    write('key_command = ["true"]\nkey_file = "/key"')
    with pytest.raises(ConfigurationError, match="both set; take one of them out"):
        load_settings()


def test_it_is_not_in_settings_that_are_shown(write):
    write('key_command = ["print-key", "--token", "hunter2"]')
    assert "hunter2" not in f"{load_settings()!r} {load_settings()}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["/nowhere/at/all"], "cannot be run: No such file"),
        (["/"], "cannot be run: Permission denied"),
        (["a\0b"], "cannot be run"),
        (python("import sys; print('hunter2'); sys.exit('hunter2')"), "ended with status 1"),
        (
            python("import os, signal; print('hunter2', flush=True); os.kill(os.getpid(), signal.SIGTERM)"),
            "ended with status -15",
        ),
        (python("print('hunter2' * 1000)"), "more than 1024 bytes"),
        (python("while True: print('hunter2' * 1000)"), "more than 1024 bytes"),
    ],
)
def test_a_command_that_fails_is_told_and_nothing_of_its_output(command, message, capfd):
    with pytest.raises(KeyMissingError, match=message) as raised:
        command_output(command, MOST_BYTES)
    assert raised.value.__cause__ is None
    shown = capfd.readouterr()
    assert "hunter2" not in str(raised.value).replace(str(command[0]), "") + shown.out + shown.err


@pytest.mark.parametrize(
    "code",
    ["import time; time.sleep(600)", "import os, time; os.close(1); time.sleep(600)"],
    ids=["silent", "closed its output"],
)
def test_a_command_that_hangs_is_stopped_at_the_deadline(code):
    with pytest.raises(KeyMissingError, match="no answer within"):
        command_output(python(code), MOST_BYTES, 0.5)


def test_what_a_command_has_started_is_stopped_with_it(tmp_path):
    left = "import subprocess as s; print(s.Popen(['sleep', '600']).pid, file=open({!r}, 'w'))".format(str(tmp_path / "pid"))
    with pytest.raises(KeyMissingError, match="no answer within"):
        command_output(python(left), MOST_BYTES, 2)
    deadline = time.monotonic() + 30
    while not gone(int((tmp_path / "pid").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_command_reads_nothing_from_the_terminal():
    assert command_output(python("import sys; print(len(sys.stdin.read()))"), MOST_BYTES) == "0\n"
