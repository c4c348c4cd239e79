"""Whatever is sealed for whatever row opens there, by every key that was not taken out, and nowhere else."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busytime.errors import KeyMissingError
from busytime.vault import KEY_BYTES, MasterKey, Vault

#: Few, so that Hypothesis often takes one of them twice.
KEYS = [MasterKey(bytes([number]) * KEY_BYTES) for number in range(4)]
identities = st.builds("credential {}/{}".format, st.integers(1, 40), st.integers(1, 40))


@given(st.binary(max_size=400), identities, st.sampled_from(KEYS))
def test_what_is_sealed_opens_in_its_row_and_holds_nothing_of_the_secret(secret, identity, key):
    sealed = Vault([key]).seal(secret, identity)
    assert Vault([key]).open(sealed, identity) == secret
    assert len(secret) < 8 or secret not in sealed.ciphertext + sealed.wrapped_key


@given(st.binary(max_size=40), identities, identities)
def test_no_part_opens_in_another_row(secret, identity, other):
    vault = Vault(KEYS[:1])
    sealed, theirs = vault.seal(secret, identity), vault.seal(secret, other)
    moved = [replace(sealed, wrapped_key=theirs.wrapped_key), replace(sealed, ciphertext=theirs.ciphertext)]
    for row in (identity, other):
        for mixed in moved:
            with pytest.raises(KeyMissingError):
                vault.open(mixed, row)
    if identity != other:
        with pytest.raises(KeyMissingError):
            vault.open(sealed, other)


@given(st.binary(max_size=40), st.data())
def test_no_changed_bit_opens(secret, data):
    vault = Vault(KEYS[:1])
    sealed = vault.seal(secret, "credential 1/1")
    part = data.draw(st.sampled_from(["wrapped_key", "ciphertext"]))
    value = bytearray(getattr(sealed, part))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(KeyMissingError):
        vault.open(replace(sealed, **{part: bytes(value)}), "credential 1/1")


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=30))
def test_no_nonce_and_no_data_key_is_used_twice(secrets):
    vault = Vault(KEYS[:1])
    sealed = [vault.seal(secret, "credential 1/1") for secret in secrets]
    nonces = [value[:12] for one in sealed for value in (one.wrapped_key, one.ciphertext)]
    assert len(set(nonces)) == len(nonces)
    data_keys = [vault.unwrap(one.key_id, one.wrapped_key, "credential 1/1") for one in sealed]
    assert len(set(data_keys)) == len(data_keys)


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=8), st.binary(max_size=40), identities)
def test_through_any_rotations_a_secret_opens_with_the_newest_key_alone(keys, secret, identity):
    sealed = Vault(keys[:1]).seal(secret, identity)
    for old, new in pairwise(keys):
        vault = Vault([new, old])
        data_key = vault.unwrap(sealed.key_id, sealed.wrapped_key, identity)
        sealed = replace(sealed, key_id=vault.key_id, wrapped_key=vault.wrap(data_key, identity))
    assert Vault([keys[-1]]).open(sealed, identity) == secret
    for key in KEYS:
        if key is not keys[-1]:
            with pytest.raises(KeyMissingError):
                Vault([key]).open(sealed, identity)
