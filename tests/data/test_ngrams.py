"""The ids of texts are those that anyone gets who reads how they are made."""

import random
import re
import zlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.data import WORDS, ngrams


def plainly(text: str | None) -> list[int]:
    """Make the ids in the plainest way, as the module's docstring says."""
    words = re.findall(r"[^\W_]+", (text or "").lower())[:64]
    parts = [*words, *(f"{left} {right}" for left, right in zip(words, words[1:], strict=False))]
    for word in words:
        framed = f"<{word}>"[:32]
        parts += [f"#{framed[i : i + 3]}" for i in range(len(framed) - 2)]
    ids = dict.fromkeys((zlib.crc32(part.encode()) & 0x7FFFFFFF) or 1 for part in parts)
    return (list(ids)[:WORDS] + [0] * WORDS)[:WORDS]


def test_ids_are_as_documented() -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcde\u00e9\u00df\u65e5\u672c", k=rng.randint(1, 7))) for _ in range(60)]
    texts = [" ".join(rng.choices(words, k=rng.randint(0, rng.choice([4, 12, 80])))) for _ in range(500)]
    texts += [
        "",
        "   ",
        "...",
        "a" * 500,
        " ".join("a" * k for k in range(30, 95)),
        "x" * 99 + " " + "x" * 99,
    ]
    found = ngrams.ids(pl.Series([*texts, None]))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, [plainly(text) for text in [*texts, None]])


def test_a_text_has_the_same_ids_in_any_table() -> None:
    texts = [f"row {i} of some" for i in range(70)]
    together = ngrams.ids(pl.Series(texts))
    assert not ngrams.ids(pl.Series([], dtype=pl.String)).any()
    np.testing.assert_array_equal(together[33:34], ngrams.ids(pl.Series(texts[33:34])))


def test_texts_in_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([f"row {i} of some" for i in range(70)])
    want = ngrams.ids(texts)
    monkeypatch.setattr(ngrams, "_CHUNK", 16)
    np.testing.assert_array_equal(ngrams.ids(texts), want)


def test_a_known_value() -> None:
    row = ngrams.ids(pl.Series(["Hello"]))[0].tolist()
    assert row[0] == 0x3610A686  # CRC-32 of "hello"
    assert len(set(row[:6])) == 6 and row[6:] == [0] * 26


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_ids_of_any_text(texts: list[str]) -> None:
    found = ngrams.ids(pl.Series(texts))
    assert (found >= 0).all()
    for row in found:
        there = row[row > 0]
        assert len(set(there.tolist())) == len(there)
        assert (row[len(there) :] == 0).all()
