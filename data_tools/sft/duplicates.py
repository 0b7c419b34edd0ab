"""Detection of repeated and near-identical texts, kept on disk.

Many texts take no more memory than few.
"""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_index_medqa.errors import MissingExtraError

_WORD = re.compile(r"[^\W_]+")
_WORDS_A_SHINGLE = 3
_CHARACTERS_A_SHINGLE = 4

# With 20 bands of 6 values, texts of similarity 0.8 share a band with a probability of 0.998, those of 0.3 of 0.014
# (1 - (1 - s ** rows) ** bands; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
_BANDS, _ROWS = 20, 6
_SCHEMA = """
CREATE TABLE seen (number INTEGER PRIMARY KEY, name TEXT NOT NULL, text_hash BLOB NOT NULL, signature BLOB NOT NULL);
CREATE INDEX seen_text ON seen (text_hash);
CREATE TABLE band (hash INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (hash, number)) WITHOUT ROWID;
"""
# Sought one after the other in SQLite, which has no lists of values.
_IN_BAND = "SELECT number FROM band WHERE hash = ?"
_BY_NUMBER = "SELECT name, signature FROM seen WHERE number = ?"


class NearDuplicate(NamedTuple):
    """An earlier text that is like a new one.

    Attributes:
        name: what it was called.
        similarity: estimated Jaccard similarity of the shingles, 0 to 1; 1 for the same words.
        exact: whether it has the same words in the same order.
    """

    name: str
    similarity: float
    exact: bool


def word_shingles(text: str) -> list[str]:
    """Return all runs of three words, in lower case without punctuation.

    Of a shorter text all of it.
    """
    words = _WORD.findall(text.lower())
    runs = range(max(1, len(words) - _WORDS_A_SHINGLE + 1))
    return sorted({" ".join(words[start : start + _WORDS_A_SHINGLE]) for start in runs})


def character_shingles(text: str) -> list[str]:
    """Return all runs of four characters, in lower case.

    Punctuation becomes blanks; for texts as short as a title.
    """
    plain = " ".join(_WORD.findall(text.lower()))
    runs = range(max(1, len(plain) - _CHARACTERS_A_SHINGLE + 1))
    return sorted({plain[start : start + _CHARACTERS_A_SHINGLE] for start in runs})


class SeenTexts:
    """Finds the earlier text most like a new one.

    MinHash signatures in bands (Broder 1997), in an SQLite file.

    Args:
        path: the file, which must not exist; ``:memory:`` for a few texts.
        threshold: least similarity of texts that count as alike, 0 to 1.
        shingles: what of a text is compared.
        seed: of the hash functions.

    Raises:
        MissingExtraError: rensa is not installed.
    """

    def __init__(
        self,
        path: Path | str,
        threshold: float,
        shingles: Callable[[str], Iterable[str]] = word_shingles,
        seed: int = 1,
    ) -> None:
        self._threshold = threshold
        self._shingles = shingles
        self._seed = seed
        self._minhash = _minhash()
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, text: str) -> NearDuplicate | None:
        """Return the most similar text among those that were added."""
        return self._find(_text_hash(text), self._signature(text))

    def find_or_add(self, name: str, text: str) -> NearDuplicate | None:
        """Return the most similar text, or add this one where there is none."""
        text_hash, signature = _text_hash(text), self._signature(text)
        found = self._find(text_hash, signature)
        if found is None:
            values = (name, text_hash, signature.tobytes())
            row = self._database.execute("INSERT INTO seen (name, text_hash, signature) VALUES (?, ?, ?)", values)
            bands = ((band, row.lastrowid) for band in _bands(signature))
            self._database.executemany("INSERT OR IGNORE INTO band VALUES (?, ?)", bands)
        return found

    def _find(self, text_hash: bytes, signature: NDArray[np.uint32]) -> NearDuplicate | None:
        same = self._database.execute("SELECT name FROM seen WHERE text_hash = ?", (text_hash,)).fetchone()
        if same:
            return NearDuplicate(same[0], 1.0, exact=True)
        numbers = {row[0] for band in _bands(signature) for row in self._database.execute(_IN_BAND, (band,))}
        rows = (self._database.execute(_BY_NUMBER, (number,)).fetchone() for number in sorted(numbers))
        alike = [
            NearDuplicate(name, float(np.mean(signature == np.frombuffer(other, dtype=np.uint32))), exact=False)
            for name, other in rows
        ]
        best = max(alike, key=lambda match: match.similarity, default=None)
        return best if best and best.similarity >= self._threshold else None

    def _signature(self, text: str) -> NDArray[np.uint32]:
        minhash = self._minhash(num_perm=_BANDS * _ROWS, seed=self._seed)
        minhash.update(list(self._shingles(text)))
        return np.array(minhash.digest(), dtype=np.uint32)


def _minhash() -> Any:
    try:
        from rensa import RMinHash
    except ImportError as error:
        raise MissingExtraError("python -m data_tools sft", "data") from error
    return RMinHash


def _bands(signature: NDArray[np.uint32]) -> list[int]:
    """Return a number for each band; SQLite's integers have a sign."""
    return [
        int.from_bytes(
            hashlib.blake2b(values.tobytes(), digest_size=8, salt=number.to_bytes(2, "big")).digest(),
            "big",
            signed=True,
        )
        for number, values in enumerate(signature.reshape(_BANDS, _ROWS))
    ]


def _text_hash(text: str) -> bytes:
    return hashlib.sha256(" ".join(_WORD.findall(text.lower())).encode()).digest()
