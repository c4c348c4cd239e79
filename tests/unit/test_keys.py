"""The master key comes from the environment or a file that only its owner can read."""

import os

import pytest

from busytime.errors import ConfigurationError, KeyMissingError
from config.keys import MOST_BYTES, KeyFileError, KeySource, key_path, read_keys, rotating, write_key_file
from config.settings import load_settings

KEY = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
OLD_KEY = "_____________________________________-_-_-A="
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def keys(settings):
    """The keys as texts, or nothing where there are none."""
    found = read_keys(settings)
    return found and found.texts


def stored(settings, text=KEY, mode=0o600):
    path = key_path(settings)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_key_of_the_environment_needs_no_file(settings):
    assert keys(load_settings(home=settings.home, key=KEY)) == (KEY,)
    assert list(settings.home.iterdir()) == []


def test_there_is_no_key_yet_in_an_empty_home(settings):
    assert read_keys(settings) is None


def test_a_written_key_is_read_back_and_is_its_owners_alone(settings):
    write_key_file(key_path(settings), [KEY])
    assert keys(settings) == (KEY,)
    assert key_path(settings).stat().st_mode & 0o777 == 0o600


def test_a_wide_umask_does_not_open_the_key_file(settings):
    before = os.umask(0)
    try:
        write_key_file(key_path(settings), [KEY])
    finally:
        os.umask(before)
    assert key_path(settings).stat().st_mode & 0o777 == 0o600


def test_an_existing_key_file_is_never_written_over(settings):
    path = stored(settings, "the old key")
    with pytest.raises(ConfigurationError, match=str(path)):
        write_key_file(key_path(settings), [KEY])
    assert path.read_text() == "the old key"
    assert list(settings.home.iterdir()) == [path]


def test_a_key_file_that_was_half_written_when_its_process_died_is_not_taken_for_one(settings):
    (settings.home / "key.part").write_text(KEY[:20])
    assert read_keys(settings) is None
    write_key_file(key_path(settings), [KEY])
    assert keys(settings) == (KEY,)
    assert [path.name for path in settings.home.iterdir()] == ["key"]


def test_a_key_file_cannot_be_written_where_there_is_no_directory(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_key_file(tmp_path / "nowhere" / "key", [KEY])


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_file_that_others_can_reach_is_refused_with_the_remedy(settings, mode):
    path = stored(settings, mode=mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}") as raised:
        read_keys(settings)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_is_read(settings, mode):
    stored(settings, mode=mode)
    assert keys(settings) == (KEY,)


@needs_root
def test_a_key_file_of_another_user_is_refused_with_the_remedy(settings):
    path = stored(settings)
    os.chown(path, 12345, 12345)
    with pytest.raises(KeyFileError, match=f"belongs to another user: run `chown 0 {path}`"):
        read_keys(settings)


def test_a_named_key_file_that_is_missing_is_an_error(tmp_path):
    settings = load_settings(home=tmp_path, key_file=tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="BUSYTIME_KEY_FILE names"):
        read_keys(settings)


def test_a_key_file_may_lie_elsewhere(tmp_path):
    settings = load_settings(home=tmp_path / "home", key_file=tmp_path / "elsewhere")
    stored(settings)
    assert keys(settings) == (KEY,)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_regular_file_is_refused_at_once(settings, make):
    make(key_path(settings), 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        read_keys(settings)


def test_a_key_file_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_keys(load_settings(home=tmp_path, key_file=tmp_path / "file" / "key"))


@pytest.mark.parametrize("text", ["x" * (MOST_BYTES + 1), f"{KEY}\n" * 23, " " * 100_000])
def test_a_key_file_that_is_too_long_is_refused(settings, text):
    stored(settings, text)
    with pytest.raises(KeyMissingError, match=f"{key_path(settings)} holds more than 1024 bytes") as raised:
        read_keys(settings)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("text", ["", "\n", " \n,\t"])
def test_a_key_file_without_a_key_is_refused(settings, text):
    stored(settings, text)
    with pytest.raises(KeyMissingError, match="is empty: restore"):
        read_keys(settings)


def test_a_link_to_a_key_file_is_refused_with_the_remedy(settings):
    path = stored(settings)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(KeyFileError, match="is a link: put the file itself there, or name the one it leads to"):
        read_keys(settings)


@pytest.mark.parametrize("text", [f"{KEY}\n{OLD_KEY}\n", f"{KEY}, {OLD_KEY}", f"\n{KEY}\r\n\r\n{OLD_KEY}"])
def test_a_source_holds_several_keys_and_the_first_is_the_active_one(settings, text):
    stored(settings, text)
    assert keys(settings) == (KEY, OLD_KEY)
    assert keys(load_settings(home=settings.home, key=text)) == (KEY, OLD_KEY)


def test_keys_are_not_in_what_is_read_when_it_is_shown(settings):
    stored(settings)
    assert KEY not in repr(read_keys(settings))


def test_a_key_file_is_replaced_whole(settings):
    path = stored(settings, OLD_KEY)
    write_key_file(path, [KEY, OLD_KEY], replacing=True)
    assert keys(settings) == (KEY, OLD_KEY)
    assert list(settings.home.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_cannot_be_replaced_stays(settings):
    path = stored(settings)
    path.with_name("key.part").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_key_file(path, [OLD_KEY], replacing=True)
    assert keys(settings) == (KEY,)


def test_one_at_a_time_rotates(settings):
    with rotating(settings), pytest.raises(ConfigurationError, match="is at work: wait"), rotating(settings):
        pass
    with rotating(settings):
        pass


def test_the_environment_wins_over_the_command_and_that_over_the_file(settings, monkeypatch):
    stored(settings, OLD_KEY)
    command = ("/bin/echo", KEY)
    assert read_keys(settings).source is KeySource.FILE
    assert read_keys(load_settings(home=settings.home, key_command=command)).source is KeySource.COMMAND
    monkeypatch.setenv("BUSYTIME_KEY", OLD_KEY)
    assert read_keys(load_settings(home=settings.home, key_command=command)).source is KeySource.VARIABLE


def test_a_refused_key_file_counts_as_a_missing_key():
    assert issubclass(KeyFileError, KeyMissingError)
