"""A cache of vectors in one SQLite file that several processes may share."""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray

from llama_index_medqa.errors import EmbeddingCacheError
from llama_index_medqa.redaction import logger_of

logger = logger_of(__name__)

FILE_NAME = "embeddings.sqlite3"

# Raised when the meaning of a key or the layout of a row changes; an older file is then not read.
_FORMAT = 1
_KEYS_PER_QUERY = 500
_SECONDS_FOR_OTHERS = 60.0
_CHECKSUM_BYTES = 4


class EmbeddingCache:
    """Stores vectors by the hash of everything that decides them.

    Each row carries a checksum: a row that is not as it was written counts as missing and is replaced. Every call
    opens the file anew, so that threads and processes may share a cache; writers wait for one another.

    Args:
        folder: where the file lies; made where it is missing.

    Raises:
        EmbeddingCacheError: on use, when the file is damaged, of another format, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def get(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Return the vectors that are cached.

        Args:
            keys: of :func:`cache_key`.

        Returns:
            A vector for each key that was found.
        """
        found: dict[bytes, NDArray[np.float32]] = {}
        damaged = 0
        with self._connection() as connection:
            unique = list(dict.fromkeys(keys))
            for start in range(0, len(unique), _KEYS_PER_QUERY):
                some = unique[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608  # marks are "?,?"
                for key, row in connection.execute(query, some):
                    vector = _unpack(key, row)
                    if vector is None:
                        damaged += 1
                    else:
                        found[key] = vector
        if damaged:
            logger.warning("%s: %d vectors are damaged; their texts are embedded again.", self.path, damaged)
        return found

    def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Store vectors in one transaction."""
        rows = [(key, _pack(key, vector)) for key, vector in vectors.items()]
        with self._connection() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_SECONDS_FOR_OTHERS)) as connection:
                self._prepare(connection)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise EmbeddingCacheError(
                f"The embedding cache {self.path} cannot be used: {error}. If it is damaged, delete it: what it held "
                "is embedded again. Else free some space, make the folder writable, or choose another as cache_dir."
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = _format_of(connection)
        if version == 0:
            # SQLite does not let several processes switch to a write-ahead log at once.
            with filelock.FileLock(f"{self.path}.lock"):
                version = _format_of(connection) or _create(connection)
        if version != _FORMAT:
            raise EmbeddingCacheError(
                f"The embedding cache {self.path} has format {version}, and this version of llama-index-medqa reads "
                f"format {_FORMAT}. Delete it, or choose another folder as cache_dir."
            )
        # The last rows may be lost at a power cut, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")


def _format_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _create(connection: sqlite3.Connection) -> int:
    # With a write-ahead log, readers do not wait for writers.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.commit()
    return _FORMAT


def cache_key(*parts: str | bytes) -> bytes:
    """Return a 32-byte hash of parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part if isinstance(part, bytes) else part.encode()
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


def _pack(key: bytes, vector: NDArray[np.float32]) -> bytes:
    data = np.asarray(vector, dtype="<f4").tobytes()
    return data + _checksum(key, data)


def _unpack(key: bytes, row: bytes) -> NDArray[np.float32] | None:
    data, checksum = row[:-_CHECKSUM_BYTES], row[-_CHECKSUM_BYTES:]
    if not data or checksum != _checksum(key, data):
        return None
    return np.frombuffer(data, dtype="<f4")


def _checksum(key: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(key)).to_bytes(_CHECKSUM_BYTES, "little")
