"""The file beside a LlamaIndex store: its chunks whole, and the state record.

An SQLite database in the folder of the index. Every change is one transaction, which is on the disk when it is done.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llama_index_medqa.errors import StorageError
from llama_index_medqa.vector_store.generation import StateRow
from llama_index_medqa.vector_store.generic.conditions import NUMBER_COLUMN, TEXT_COLUMNS, SqlCondition, holds
from llama_index_medqa.vector_store.port import StoredRow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chunk (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, text TEXT NOT NULL,
    metadata TEXT NOT NULL, vector BLOB NOT NULL, document_id TEXT, record_hash TEXT, status TEXT, year INTEGER
);
CREATE INDEX IF NOT EXISTS chunk_document ON chunk (document_id);
CREATE INDEX IF NOT EXISTS chunk_hash ON chunk (record_hash);
CREATE TABLE IF NOT EXISTS pending (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, time REAL, value TEXT NOT NULL
) WITHOUT ROWID;
"""
_PATIENCE_S = 120.0
_LARGEST_INTEGER = 2**63 - 1
_EVERYTHING = SqlCondition("1", ())
_IDENTITY = "identity"


class KeyedRow(NamedTuple):
    """A row, and the id that its node has in the LlamaIndex store."""

    key: str
    row: StoredRow


class SideFile:
    """The database of chunks and state; also the table of :class:`CollectionState`.

    Args:
        path: the file, which is made where it is missing.
        is_read_only: whether it is only read, from a folder that cannot be written.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self._path = path
        self._is_read_only = is_read_only
        self._connections = threading.local()
        self._collection_id = ""
        if not is_read_only:
            with self._connection() as connection:
                connection.executescript(_SCHEMA)

    @property
    def collection_id(self) -> str:
        """Return the random text that the index got when it was made."""
        if not self._collection_id:
            self._collection_id = str(self.rows(_IDENTITY)[_IDENTITY]["id"])
        return self._collection_id

    def identify(self, collection_id: str) -> None:
        """Give a new index its id; one that has an id keeps it."""
        with self._connection() as connection:
            value = json.dumps({"kind": _IDENTITY, "id": collection_id, "metadata": {}})
            connection.execute("INSERT OR IGNORE INTO state VALUES (?, ?, 0, ?)", (_IDENTITY, _IDENTITY, value))

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the index."""
        return dict(self.rows(_IDENTITY)[_IDENTITY]["metadata"])

    def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the index."""
        self.put({_IDENTITY: {**self.rows(_IDENTITY)[_IDENTITY], "metadata": dict(metadata)}})

    def rows(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the rows of the state record of a kind, by id."""
        found = self._all("SELECT id, value FROM state WHERE kind = ?", kind)
        return {str(name): json.loads(value) for name, value in found}

    def put(self, rows: Mapping[str, StateRow]) -> None:
        """Write rows of the state record by id, and replace equal ones."""
        with self._connection() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)",
                [(name, row["kind"], float(row.get("time", 0.0)), json.dumps(row)) for name, row in rows.items()],
            )

    def remove(self, ids: Collection[str]) -> None:
        """Delete rows of the state record by id; unknown ids are ignored."""
        with self._connection() as connection:
            connection.execute("DELETE FROM state WHERE id IN (SELECT value FROM json_each(?))", (_listed(ids),))

    def remove_marks_before(self, moment: float) -> None:
        """Delete the rows of writers whose ``time`` is earlier."""
        with self._connection() as connection:
            connection.execute("DELETE FROM state WHERE kind = 'writer' AND time < ?", (moment,))

    def count(self, where: SqlCondition | None = None) -> int:
        """Return the number of chunks that meet a condition."""
        where = where or _EVERYTHING
        return int(self._all(f"SELECT count(*) FROM chunk WHERE {where.text}", *where.values)[0][0])  # noqa: S608  # ours

    def settled(self, besides: Collection[str], limit: int) -> list[KeyedRow]:
        """Return some chunks of other ids that nobody is changing in the store, with their vectors."""
        found = self._all(
            f"SELECT {_columns(True)} FROM chunk WHERE id NOT IN (SELECT value FROM json_each(?)) "  # noqa: S608
            "AND key NOT IN (SELECT key FROM pending) LIMIT ?",
            _listed(besides),
            limit,
        )
        return [_stored_row(one) for one in found]

    def any_settled(self, keys: Collection[str]) -> bool:
        """Return whether any chunk of some keys is stored, and nobody is changing it in the store."""
        return bool(self.known_keys(keys).difference(self.pending()))

    def ids(self, where: SqlCondition | None, among: Sequence[str] | None) -> list[str]:
        """Return the ids of chunks, in the order in which they were first written."""
        where = where or _EVERYTHING
        text, values = f"({where.text})", list(where.values)
        if among is not None:
            text += " AND id IN (SELECT value FROM json_each(?))"
            values.append(_listed(among))
        return [str(name) for (name,) in self._all(f"SELECT id FROM chunk WHERE {text} ORDER BY number", *values)]  # noqa: S608

    def chunks(self, ids: Sequence[str], *, vectors: bool) -> list[StoredRow]:
        """Return the chunks of ids that are stored."""
        found = self._all(
            f"SELECT {_columns(vectors)} FROM chunk WHERE id IN (SELECT value FROM json_each(?)) ORDER BY number",  # noqa: S608
            _listed(ids),
        )
        return [_stored_row(one).row for one in found]

    def metadatas(self, ids: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the metadata of chunks that are stored, with their ids."""
        found = self._all(
            "SELECT id, metadata FROM chunk WHERE id IN (SELECT value FROM json_each(?)) ORDER BY number", _listed(ids)
        )
        return [(str(name), json.loads(metadata)) for name, metadata in found]

    def pages(self, size: int, *, vectors: bool, where: SqlCondition | None) -> Iterator[list[KeyedRow]]:
        """Read chunks by pages, in the order in which they were first written."""
        where, last = where or _EVERYTHING, -1
        statement = (
            f"SELECT {_columns(vectors)}, number FROM chunk WHERE number > ? AND ({where.text}) ORDER BY number LIMIT ?"  # noqa: S608
        )
        while found := self._all(statement, last, *where.values, size):
            last = found[-1][-1]
            yield [_stored_row(one[:-1]) for one in found]

    def by_keys(self, keys: Sequence[str], where: SqlCondition | None = None) -> list[StoredRow]:
        """Return the chunks of keys that are stored and meet a condition, with vectors, in the order of the keys."""
        where = where or _EVERYTHING
        found = self._all(
            f"SELECT {_columns(True)} FROM chunk WHERE key IN (SELECT value FROM json_each(?)) AND ({where.text})",  # noqa: S608
            _listed(keys),
            *where.values,
        )
        rows = {one.key: one.row for one in map(_stored_row, found)}
        return [rows[key] for key in dict.fromkeys(keys) if key in rows]

    def known_keys(self, keys: Collection[str]) -> set[str]:
        """Return the keys of chunks that are stored."""
        found = self._all("SELECT key FROM chunk WHERE key IN (SELECT value FROM json_each(?))", _listed(keys))
        return {str(key) for (key,) in found}

    def vectors(self, where: SqlCondition | None, ids: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
        """Return ids and vectors of chunks that meet a condition, or are among ids: float32, shape (n, dimension)."""
        where = where or _EVERYTHING
        text, values = f"({where.text})", list(where.values)
        if ids is not None:
            text += " AND id IN (SELECT value FROM json_each(?))"
            values.append(_listed(ids))
        found = self._all(f"SELECT id, vector FROM chunk WHERE {text} ORDER BY number", *values)  # noqa: S608
        joined = np.frombuffer(b"".join(vector for _, vector in found), "<f4")
        return [str(name) for name, _ in found], joined.reshape(len(found), -1) if found else joined.reshape(0, 1)

    def begin(self, keys: Collection[str]) -> None:
        """Note the keys of chunks that are about to change in the store."""
        with self._connection() as connection:
            connection.executemany("INSERT OR IGNORE INTO pending VALUES (?)", [(key,) for key in keys])

    def pending(self) -> list[str]:
        """Return the keys of chunks of which a killed process left open what the store holds."""
        return [str(key) for (key,) in self._all("SELECT key FROM pending")]

    def settle(self, keys: Collection[str]) -> None:
        """Note that the store holds the same as this file of some keys."""
        with self._connection() as connection:
            _settle(connection, keys)

    def finish_writing(self, rows: Iterable[KeyedRow]) -> None:
        """Write chunks that the store holds now, and settle their keys."""
        batch = list(rows)
        with self._connection() as connection:
            connection.executemany(
                "INSERT INTO chunk (id, key, text, metadata, vector, document_id, record_hash, status, year) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET key = excluded.key, "
                "text = excluded.text, metadata = excluded.metadata, vector = excluded.vector, "
                "document_id = excluded.document_id, record_hash = excluded.record_hash, status = excluded.status, "
                "year = excluded.year",
                [_values(one) for one in batch],
            )
            _settle(connection, [one.key for one in batch])

    def finish_removing(self, keys: Collection[str]) -> None:
        """Delete chunks that the store no longer holds, and settle their keys."""
        with self._connection() as connection:
            connection.execute("DELETE FROM chunk WHERE key IN (SELECT value FROM json_each(?))", (_listed(keys),))
            _settle(connection, keys)

    def discard(self) -> None:
        """Close the file in this thread and remove it with what belongs to it."""
        connection = self._connections.__dict__.pop("open", None)
        if connection is not None:
            connection.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)

    def _all(self, statement: str, *values: Any) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection for one transaction."""
        try:
            connection = getattr(self._connections, "open", None)
            if connection is None:
                connection = self._connections.open = self._opened()
            with connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"The file {self._path} cannot be used ({error}). If the disk is full, free some space and repeat; if "
                "the file is damaged, delete the folder, empty the store and index again."
            ) from error

    def _opened(self) -> sqlite3.Connection:
        log = self._path.with_name(f"{self._path.name}-wal")
        if self._is_read_only and log.is_file() and log.stat().st_size:
            raise StorageError(
                f"The file {self._path} was left by a process that was killed, and its folder cannot be written: open "
                "the index once where the folder can be written."
            )
        # Nobody writes to what cannot be written, so no other process has to be waited for.
        address = f"{self._path.as_uri()}?mode=ro&immutable=1" if self._is_read_only else self._path.as_uri()
        connection = sqlite3.connect(address, timeout=_PATIENCE_S, uri=True)
        connection.create_function("medqa_holds", 2, holds, deterministic=True)
        if not self._is_read_only:
            _with_write_ahead_log(connection)
            connection.execute("PRAGMA synchronous = FULL")
        return connection


def _with_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let others read while one writes. SQLite does not wait where another process does the same at this moment."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _settle(connection: sqlite3.Connection, keys: Collection[str]) -> None:
    connection.execute("DELETE FROM pending WHERE key IN (SELECT value FROM json_each(?))", (_listed(keys),))


def _listed(names: Iterable[str]) -> str:
    return json.dumps(list(names))


def _columns(vectors: bool) -> str:
    return f"key, id, text, metadata, {'vector' if vectors else 'NULL'}"


def _stored_row(columns: Sequence[Any]) -> KeyedRow:
    key, name, text, metadata, vector = columns
    values = None if vector is None else np.frombuffer(vector, "<f4")
    return KeyedRow(str(key), StoredRow(str(name), str(text), json.loads(metadata), values))


def _values(one: KeyedRow) -> tuple[Any, ...]:
    key, row = one
    texts = [row.metadata.get(name) for name in TEXT_COLUMNS]
    year = row.metadata.get(NUMBER_COLUMN)
    return (
        row.node_id,
        key,
        row.text,
        json.dumps(dict(row.metadata), ensure_ascii=False),
        np.asarray(row.vector, "<f4").tobytes(),
        *(text if type(text) is str else None for text in texts),
        year if type(year) is int and abs(year) <= _LARGEST_INTEGER else None,
    )
