"""Texts as ids of their words, pairs of words and parts of words, by a hash that any language has.

The text is put in lower case and cut into words: runs of letters, marks and digits, of which the first 64
count. The ids are the lower 31 bits of the CRC-32 (as in zlib, PNG and gzip) of these, in UTF-8:

1. the words, one after the other: ``dog``;
2. the pairs of neighbouring words with a blank between them: ``big dog``;
3. the runs of three characters of ``<word>``, of which the first 32 characters count, after a ``#``:
   ``#<do``, ``#dog``, ``#og>``.

An id of 0 is written 1. Of equal ids the first stays; of the rest the first ``WORDS`` stay, and 0 fills up.
"""

import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.columns import WORDS

_CHUNK = 1 << 14  # texts at once; their number must fit into 16 bits of a sort key
_MOST_WORDS = 64
_LONGEST = 32  # characters of a word, with < and >, of which the runs of three count
_MASK = 0x7FFFFFFF
_ASCII_WORD = re.compile("[a-z0-9]+")

Ints = NDArray[np.int64]


def ids(text: pl.Series) -> NDArray[np.int32]:
    """Give each text its ids, int32 (n, WORDS); of a missing text they are all 0.

    >>> import zlib
    >>> row = ids(pl.Series(["Big dog", None]))[0].tolist()
    >>> row[:3] == [zlib.crc32(part) & 0x7FFFFFFF for part in (b"big", b"dog", b"big dog")]
    True
    """
    chunks = [text.slice(first, _CHUNK) for first in range(0, len(text), _CHUNK)]
    if len(chunks) < 2:
        return _chunk(text)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        return np.concatenate(list(pool.map(_chunk, chunks)))


def ids_of_ascii(text: str) -> list[int]:
    """Give the ids of one text of ASCII characters alone, in a tenth of the time.

    >>> ids_of_ascii("Big dog") == ids(pl.Series(["Big dog"]))[0].tolist()
    True
    """
    words = _ASCII_WORD.findall(text.lower())[:_MOST_WORDS]
    found = [zlib.crc32(word.encode()) & _MASK for word in words]
    found += [zlib.crc32(f"{left} {right}".encode()) & _MASK for left, right in pairwise(words)]
    kept = dict.fromkeys(max(each, 1) for each in found)
    for word in words:
        if len(kept) >= WORDS:
            break
        kept |= dict.fromkeys(max(each, 1) for each in _parts(word)[3])
    return [*kept, *[0] * WORDS][:WORDS]


def _chunk(text: pl.Series) -> NDArray[np.int32]:
    lists = text.str.to_lowercase().str.extract_all(r"[\p{L}\p{M}\p{N}]+").list.head(_MOST_WORDS)
    lengths = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
    words = lists.explode().drop_nulls()
    out = np.zeros((len(text), WORDS), np.int32)
    if not len(words):
        return out
    distinct = words.unique(maintain_order=True)
    at = words.replace_strict(distinct, pl.Series(range(len(distinct))), return_dtype=pl.Int64).to_numpy()
    vocabulary = [_parts(word) for word in distinct]
    rows = np.repeat(np.arange(len(text)), lengths)
    crc, follow, size = (np.array([entry[i] for entry in vocabulary], np.int64) for i in range(3))
    inner = rows[1:] == rows[:-1]
    left, right = at[:-1][inner], at[1:][inner]
    pairs = _after(crc[left], size[right] + 1) ^ follow[right]
    place = np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]
    kept = _first_of_each(
        np.concatenate([rows, rows[:-1][inner]]),
        np.concatenate([place, place[:-1][inner] + _MOST_WORDS]),
        np.concatenate([crc[at], pairs]) & _MASK,
    )
    kept = _with_parts(kept, rows, at, [entry[3] for entry in vocabulary])
    rows, _, values = _columns(kept)
    place = np.arange(len(rows)) - np.cumsum(_counts(kept))[rows] + _counts(kept)[rows]
    out[rows[place < WORDS], place[place < WORDS]] = values[place < WORDS]
    return out


def _with_parts(kept: Ints, rows: Ints, at: Ints, vocabulary: list[tuple[int, ...]]) -> Ints:
    """Put the ids of the words' parts into the rows that have room for them."""
    room = (WORDS - _counts(kept))[rows] > 0
    rows, at = rows[room], at[room]
    sizes = np.array([len(parts) for parts in vocabulary])
    values = np.array([part for parts in vocabulary for part in parts], np.int64)
    lengths = sizes[at]
    before = np.cumsum(lengths) - lengths
    index = np.arange(lengths.sum())
    values = values[index - np.repeat(before - (np.cumsum(sizes) - sizes)[at], lengths)]
    place = index - np.repeat(before[np.searchsorted(rows, rows)], lengths)  # of the part in its row
    rows = np.repeat(rows, lengths)
    begun = np.zeros(_CHUNK, np.int64)  # the parts of each row that have been looked at
    while len(rows):
        end = begun + np.maximum(WORDS - _counts(kept), 0) + 4  # some are there already
        now = place < end[rows]
        old = _columns(kept)
        new = rows[now], place[now] + 2 * _MOST_WORDS, values[now]
        kept = _first_of_each(*map(np.concatenate, zip(old, new, strict=True)))
        left = ~now & (_counts(kept) < WORDS)[rows]
        begun, rows, place, values = end, rows[left], place[left], values[left]
    return kept


def _first_of_each(rows: Ints, place: Ints, values: Ints) -> Ints:
    """Keep the first of equal values in a row, as sorted keys ``row, place, value`` of 16, 16 and 31 bits."""
    keys = np.sort(rows << 47 | np.maximum(values, 1) << 16 | place)
    keys = keys[np.concatenate([keys[:1] >= 0, keys[1:] >> 16 != keys[:-1] >> 16])]
    return np.sort(keys >> 47 << 47 | (keys & 0xFFFF) << 31 | keys >> 16 & _MASK)


def _columns(keys: Ints) -> tuple[Ints, Ints, Ints]:
    return keys >> 47, keys >> 31 & 0xFFFF, keys & _MASK


def _counts(keys: Ints) -> Ints:
    """Count the values of each row."""
    return np.bincount(keys >> 47, minlength=_CHUNK)


@lru_cache(maxsize=1 << 15)
def _parts(word: str) -> tuple[int, int, int, tuple[int, ...]]:
    """Give a word's CRC, that of it after a blank, its length in bytes, and the ids of its parts."""
    code = word.encode()
    framed = f"<{word}>"[:_LONGEST]
    grams = tuple(zlib.crc32(f"#{framed[i : i + 3]}".encode()) & _MASK for i in range(len(framed) - 2))
    return zlib.crc32(code), zlib.crc32(b" " + code), len(code), grams


def _after(crc: Ints, length: Ints) -> Ints:
    """Carry each CRC over ``length`` further bytes: that of a + b is ``_after(crc(a), len(b)) ^ crc(b)``."""
    out = np.zeros_like(crc)
    for size in np.unique(length):
        here = length == size
        tables, part = _shift(int(size)), crc[here]
        out[here] = np.bitwise_xor.reduce([tables[i][part >> 8 * i & 0xFF] for i in range(4)])
    return out


@lru_cache(maxsize=256)
def _shift(length: int) -> Ints:
    """Tabulate the effect of ``length`` bytes on each byte of a CRC, which is linear."""
    zeros = bytes(length)
    none = zlib.crc32(zeros)
    return np.array(
        [[zlib.crc32(zeros, byte << 8 * i) ^ none for byte in range(256)] for i in range(4)], np.int64
    )
