"""Hashes of text ids: those of a plain loop over each text's bytes, whatever Arrow holds them in."""

import numpy as np
import pyarrow as pa
import pytest

from funnelkit.events.engine.text_ids import hashes

_64_BITS = 2**64 - 1


def one_by_one(text):
    """Return the hash of a text, eight bytes after the other."""
    data = text.encode()
    found = len(data) * 0xD6E8FEB86659FD93 & _64_BITS
    for place in range(0, len(data), 8):
        word = data[place : place + 8]
        found ^= int.from_bytes(bytes(8 - len(word)) + word, "little")
        found = found * 0x9FB21C651E98DF25 & _64_BITS
        found ^= found >> 32
        found = found * 0xD6E8FEB86659FD93 & _64_BITS
    return found


def texts(rng, longest, n=30_000):
    letters = np.array(list("ab01-é漢"))
    return ["".join(rng.choice(letters, size)) for size in rng.integers(0, longest + 1, n)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), None])
@pytest.mark.parametrize("longest", [0, 1, 8, 21])
def test_each_text_has_the_hash_of_its_bytes(longest, kind):
    rng = np.random.default_rng(longest)
    given = texts(rng, longest)
    column = pa.array(given, kind)[5:] if kind is not None else pa.array(given).dictionary_encode()[5:]
    kept = np.flatnonzero(rng.random(len(column)) < 0.7)
    found = hashes(column, kept)
    assert found.dtype == "int64"
    assert found.view("uint64").tolist() == [one_by_one(given[5 + row]) for row in kept]


def test_texts_that_differ_by_little_have_hashes_of_their_own():
    numbers = np.arange(200_000)
    given = [f"{number:06d}" for number in numbers] + [f"{number:016d}" for number in numbers * 10_007]
    given += [f"customer-{number}" for number in numbers] + ["a" * size for size in range(1, 40)]
    given += ["\0" * size for size in range(40)] + [f"{number % 450:09d}-{number // 450:09d}" for number in numbers]
    assert len(set(given)) == len(given)
    found = hashes(pa.array(given), np.arange(len(given)))
    assert len(np.unique(found)) == len(given)
    bits = (found.view("uint64")[:, None] >> np.arange(64, dtype="uint64") & 1).mean(axis=0)
    assert (abs(bits - 0.5) < 0.03).all(), "partitions are of about one size"
    assert (abs(bits[32:] - 0.5) < 0.01).all(), "the first bits tell ids apart"


def test_a_column_without_rows_or_text():
    assert hashes(pa.array([], pa.string()), np.arange(0)).tolist() == []
    assert hashes(pa.array(["", ""]), np.arange(2)).tolist() == [0, 0]
