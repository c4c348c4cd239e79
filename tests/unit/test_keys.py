"""The master key comes from the environment or a file that only its owner can read."""

import os

import pytest

from busytime.errors import ConfigurationError, KeyMissingError
from config.keys import KeyFileError, key_path, read_key_text, write_key_file
from config.settings import load_settings

KEY = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def stored(settings, text=KEY, mode=0o600):
    path = key_path(settings)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_key_of_the_environment_needs_no_file(settings):
    assert read_key_text(load_settings(home=settings.home, key=KEY)) == KEY
    assert list(settings.home.iterdir()) == []


def test_there_is_no_key_yet_in_an_empty_home(settings):
    assert read_key_text(settings) is None


def test_a_written_key_is_read_back_and_is_its_owners_alone(settings):
    write_key_file(settings, KEY)
    assert read_key_text(settings).strip() == KEY
    assert key_path(settings).stat().st_mode & 0o777 == 0o600


def test_a_wide_umask_does_not_open_the_key_file(settings):
    before = os.umask(0)
    try:
        write_key_file(settings, KEY)
    finally:
        os.umask(before)
    assert key_path(settings).stat().st_mode & 0o777 == 0o600


def test_an_existing_key_file_is_never_written_over(settings):
    path = stored(settings, "the old key")
    with pytest.raises(ConfigurationError, match=str(path)):
        write_key_file(settings, KEY)
    assert path.read_text() == "the old key"
    assert list(settings.home.iterdir()) == [path]


def test_a_key_file_that_was_half_written_when_its_process_died_is_not_taken_for_one(settings):
    (settings.home / "key.part").write_text(KEY[:20])
    assert read_key_text(settings) is None
    write_key_file(settings, KEY)
    assert read_key_text(settings).strip() == KEY
    assert [path.name for path in settings.home.iterdir()] == ["key"]


def test_a_key_file_cannot_be_written_where_there_is_no_directory(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_key_file(load_settings(home=tmp_path / "nowhere"), KEY)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_file_that_others_can_reach_is_refused_with_the_remedy(settings, mode):
    path = stored(settings, mode=mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}") as raised:
        read_key_text(settings)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_is_read(settings, mode):
    stored(settings, mode=mode)
    assert read_key_text(settings) == KEY


@needs_root
def test_a_key_file_of_another_user_is_refused_with_the_remedy(settings):
    path = stored(settings)
    os.chown(path, 12345, 12345)
    with pytest.raises(KeyFileError, match=f"belongs to another user: run `chown 0 {path}`"):
        read_key_text(settings)


def test_a_named_key_file_that_is_missing_is_an_error(tmp_path):
    settings = load_settings(home=tmp_path, key_file=tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="BUSYTIME_KEY_FILE names"):
        read_key_text(settings)


def test_a_key_file_may_lie_elsewhere(tmp_path):
    settings = load_settings(home=tmp_path / "home", key_file=tmp_path / "elsewhere")
    stored(settings)
    assert read_key_text(settings) == KEY


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_regular_file_is_refused_at_once(settings, make):
    make(key_path(settings), 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        read_key_text(settings)


def test_a_key_file_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_key_text(load_settings(home=tmp_path, key_file=tmp_path / "file" / "key"))


def test_a_key_file_of_anything_is_read_only_to_a_limit(settings):
    stored(settings, "x" * 100_000)
    assert len(read_key_text(settings)) <= 1024


def test_a_refused_key_file_counts_as_a_missing_key():
    assert issubclass(KeyFileError, KeyMissingError)
