"""What is sealed opens with its key, in its row, unchanged, and in no other way."""

import copy
import pickle
from dataclasses import replace

import pytest

from busytime.errors import KeyMissingError
from busytime.vault import KEY_BYTES, MasterKey, Vault

SECRET = b'["eva@corp.example", "correct horse battery staple"]'
ROW = "credential 1/1"


@pytest.fixture
def key():
    return MasterKey.generate()


@pytest.fixture
def vault(key):
    return Vault([key])


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def test_what_was_sealed_opens(vault):
    assert vault.open(vault.seal(SECRET, ROW), ROW) == SECRET


def test_an_empty_secret_opens(vault):
    assert vault.open(vault.seal(b"", ROW), ROW) == b""


def test_nothing_of_the_secret_is_in_what_is_stored(vault):
    sealed = vault.seal(SECRET, ROW)
    assert b"correct horse" not in sealed.ciphertext + sealed.wrapped_key
    assert "correct horse" not in repr(sealed)


def test_the_same_secret_never_looks_the_same(vault):
    first, second = vault.seal(SECRET, ROW), vault.seal(SECRET, ROW)
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key


def test_a_ciphertext_that_was_moved_to_another_row_does_not_open(vault):
    sealed = vault.seal(SECRET, ROW)
    with pytest.raises(KeyMissingError):
        vault.open(sealed, "credential 1/2")


def test_a_ciphertext_with_the_data_key_of_another_row_does_not_open(vault):
    sealed, other = vault.seal(SECRET, ROW), vault.seal(SECRET, "credential 2/1")
    for identity in (ROW, "credential 2/1"):
        with pytest.raises(KeyMissingError):
            vault.open(replace(sealed, wrapped_key=other.wrapped_key), identity)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("place", [0, 11, 12, -16, -1])
def test_a_changed_byte_does_not_open(vault, part, place):
    sealed = vault.seal(SECRET, ROW)
    with pytest.raises(KeyMissingError):
        vault.open(replace(sealed, **{part: flipped(getattr(sealed, part), place)}), ROW)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_cut_off_value_does_not_open(vault, part, length):
    sealed = vault.seal(SECRET, ROW)
    with pytest.raises(KeyMissingError):
        vault.open(replace(sealed, **{part: getattr(sealed, part)[:length]}), ROW)


def test_another_key_is_named_and_does_not_open(vault):
    sealed = vault.seal(SECRET, ROW)
    other = Vault([MasterKey.generate()])
    with pytest.raises(KeyMissingError, match=rf"key {vault.key_id} .*there is {other.key_id}"):
        other.open(sealed, ROW)


def test_another_key_under_the_same_name_does_not_open(vault):
    other = Vault([MasterKey.generate()])
    with pytest.raises(KeyMissingError):
        other.open(replace(vault.seal(SECRET, ROW), key_id=other.key_id), ROW)


def test_the_first_of_several_keys_seals_and_each_opens(key):
    old = Vault([key])
    new = Vault([MasterKey.generate(), key])
    assert new.key_id != old.key_id
    assert new.open(old.seal(SECRET, ROW), ROW) == SECRET
    sealed = new.seal(SECRET, ROW)
    assert sealed.key_id == new.key_id
    assert new.open(sealed, ROW) == SECRET
    with pytest.raises(KeyMissingError):
        old.open(sealed, ROW)


def test_a_key_survives_as_text_of_one_line(key):
    assert MasterKey.from_text(f" {key.to_text()}\n").key_id == key.key_id
    assert key.to_text().isprintable()


def test_every_byte_of_a_key_survives_as_text():
    for filler in (0x00, 0xFB, 0xFF):
        key = MasterKey(bytes([filler]) * KEY_BYTES)
        assert Vault([MasterKey.from_text(key.to_text())]).open(Vault([key]).seal(SECRET, ROW), ROW) == SECRET


@pytest.mark.parametrize("text", ["", "short", "Ä" * 44, "=" * 44, "A" * 43, "A" * 60 + "====", "not base64 at all!!!"])
def test_a_text_that_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(KeyMissingError) as raised:
        MasterKey.from_text(text)
    assert not text or text not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length):
    with pytest.raises(KeyMissingError, match=f"has {length}"):
        MasterKey(b"x" * length)


def test_nothing_of_a_key_is_in_its_representation_or_name(key, vault):
    for shown in (repr(key), str(key), repr(vault), f"{key.key_id}", f"{key}", repr([key]), repr({"vault": vault})):
        assert key.to_text()[:8] not in shown
        assert key.key_id not in key.to_text()


def test_what_is_sealed_is_not_shown(vault):
    sealed = vault.seal(SECRET, ROW)
    assert repr(sealed) == f"Sealed(key_id={vault.key_id!r})"


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_what_holds_a_key_does_not_leave_its_process(key, vault, leave):
    for holder in (key, vault):
        with pytest.raises(TypeError, match="does not leave its process"):
            leave(holder)


def test_a_wrapped_key_does_not_open_as_a_secret_nor_a_secret_as_a_wrapped_key(key, vault):
    sealed = vault.seal(SECRET, ROW)
    with pytest.raises(KeyMissingError):
        key.decrypt(sealed.wrapped_key, ROW)
    with pytest.raises(KeyMissingError):
        vault.unwrap(vault.key_id, key.encrypt(SECRET, ROW), ROW)


def test_an_unknown_key_is_looked_for_where_keys_come_from(key):
    new = MasterKey.generate()
    asked = []
    vault = Vault([key], lambda: asked.append(1) or [new])
    sealed = Vault([new]).seal(SECRET, ROW)
    before = Vault([key]).seal(SECRET, ROW)
    assert vault.open(before, ROW) == SECRET
    assert asked == []
    assert vault.open(sealed, ROW) == SECRET
    assert vault.open(sealed, ROW) == SECRET
    assert asked == [1]
    assert vault.key_id == new.key_id
    assert vault.open(before, ROW) == SECRET


def test_a_key_that_is_not_where_keys_come_from_either_is_named(key):
    vault = Vault([key], lambda: [key])
    sealed = Vault([MasterKey.generate()]).seal(SECRET, ROW)
    with pytest.raises(KeyMissingError, match=f"key {sealed.key_id} .*there is {key.key_id}"):
        vault.open(sealed, ROW)


def test_a_secret_is_sealed_by_the_key_that_the_database_is_under(key):
    new = MasterKey.generate()
    assert Vault([new, key]).seal(SECRET, ROW, key.key_id).key_id == key.key_id
    late = Vault([key], lambda: [new])
    assert late.seal(SECRET, ROW, new.key_id).key_id == new.key_id
    with pytest.raises(KeyMissingError):
        Vault([key]).seal(SECRET, ROW, new.key_id)
