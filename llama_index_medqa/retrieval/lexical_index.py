"""Search by words (BM25): a cache that follows the collection."""

import hashlib
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.errors import SearchCacheError
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.search_terms import lexical_terms, rules_fingerprint
from llama_index_medqa.vector_store.chunk_store import ChunkStore

_logger = logger_of(__name__)
_Result = TypeVar("_Result")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, chunk_ids TEXT NOT NULL
);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (terms, tokenize = 'unicode61 remove_diacritics 0', detail = none);
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab (words, row);
CREATE TABLE IF NOT EXISTS acronym (number INTEGER NOT NULL, short TEXT NOT NULL, long TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS acronym_short ON acronym (short);
CREATE INDEX IF NOT EXISTS acronym_long ON acronym (long);
CREATE INDEX IF NOT EXISTS acronym_number ON acronym (number);
CREATE TABLE IF NOT EXISTS heading (number INTEGER NOT NULL, key TEXT NOT NULL, heading TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS heading_key ON heading (key);
CREATE INDEX IF NOT EXISTS heading_number ON heading (number);
"""
_SCHEMA_VERSION = 1
_RECORDS_PER_BATCH = 500
# Waiting for another process that builds the same cache, seconds.
_LOCK_TIMEOUT_S = 600.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class LexicalHit(NamedTuple):
    """A record that shares terms with a query.

    Attributes:
        record_id: id of the record's document.
        score: its BM25 score, the higher the better.
        chunk_ids: ids of all its chunks, in order.
    """

    record_id: str
    score: float
    chunk_ids: list[str]


class LexicalIndex:
    """Ranks the records of a collection by BM25 in an SQLite file (FTS5).

    The file is brought up to date before a search.

    The file is a cache: it carries the collection's generation, only records that changed are read again, and a file
    that is damaged or of another version is built anew. Several processes may use it at once; a process that is killed
    while it writes leaves the state before. It lies in the folder of an embedded database; for a server, and for a
    folder that cannot be written, in the user's cache folder.

    A record is ranked as a whole, as its chunks tell it, not chunk by chunk: that finds more on SciFact's training
    questions, and takes a fifth of the rows.

    Args:
        store: the collection.
        path: the file; left out, as above.

    Raises:
        SearchCacheError: on use, when the file cannot be read or written.
    """

    def __init__(self, store: ChunkStore, path: Path | None = None) -> None:
        self._store = store
        self._path = path or _default_path(store)
        self._connections = threading.local()
        self._made_by = f"{_SCHEMA_VERSION} {rules_fingerprint()} {store.collection_id}"

    @property
    def path(self) -> Path:
        """Return the file of the cache."""
        return self._path

    def refresh(self) -> int:
        """Bring the cache up to date with the collection.

        Returns:
            The number of records that were read again or removed.
        """
        return self._rebuilt_where_damaged(self._refresh)

    def search(self, terms: Sequence[str], limit: int, offset: int = 0) -> list[LexicalHit]:
        """Rank the records that hold at least one of the terms.

        The score is that of FTS5: BM25 (Robertson and Zaragoza 2009) with k1 = 1.2 and b = 0.75, and
        ln((N - n + 0.5) / (n + 0.5)), but at least 0.000001, as the weight of a term that n of N records hold.

        Args:
            terms: of :func:`lexical_terms`; each counts once.
            limit: most records.
            offset: how many of the best to pass over.
        """
        return self._rebuilt_where_damaged(lambda: self._search(terms, limit, offset))

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """Count the records with each term; terms without any are left out."""
        return self._rebuilt_where_damaged(lambda: self._document_frequencies(terms))

    def record_count(self) -> int:
        """Count the records."""
        return int(self._rows("SELECT count(*) FROM record")[0][0])

    def long_forms(self, short: str) -> Counter[str]:
        """Count the records with each long form of an abbreviation.

        Long forms are in lower case.
        """
        rows = self._rows("SELECT long, count(DISTINCT number) FROM acronym WHERE short = ? GROUP BY long", short)
        return Counter({str(long): int(count) for long, count in rows})

    def short_forms(self, long: str) -> Counter[str]:
        """Count the records with each abbreviation of a long form.

        The long form is in lower case.
        """
        rows = self._rows("SELECT short, count(DISTINCT number) FROM acronym WHERE long = ? GROUP BY short", long)
        return Counter({str(short): int(count) for short, count in rows})

    def headings(self, key: str) -> Counter[str]:
        """Count the records with each MeSH heading of a :func:`heading_key`."""
        rows = self._rows("SELECT heading, count(*) FROM heading WHERE key = ? GROUP BY heading", key)
        return Counter({str(heading): int(count) for heading, count in rows})

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._rebuilt_where_damaged(lambda: self._connection().execute(statement, values).fetchall())

    def _search(self, terms: Sequence[str], limit: int, offset: int) -> list[LexicalHit]:
        if not terms:
            return []
        query = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms))
        rows = self._connection().execute(
            "SELECT record.id, -best.rank, record.chunk_ids FROM "
            "(SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ? OFFSET ?) AS best "
            "JOIN record ON record.number = best.rowid ORDER BY best.rank, best.rowid",
            (query, limit, offset),
        )
        return [LexicalHit(record_id, score, json.loads(chunk_ids)) for record_id, score, chunk_ids in rows]

    def _document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        connection = self._connection()
        rows = (connection.execute("SELECT term, doc FROM vocabulary WHERE term = ?", (term,)) for term in set(terms))
        return {str(term): int(count) for row in rows for term, count in row}

    def _refresh(self) -> int:
        connection = self._connection()
        if _state(connection, "generation") == self._store.generation:
            return 0
        connection.execute("BEGIN IMMEDIATE")
        with _committed_or_rolled_back(connection):
            generation = self._store.generation
            # Another process may have done it while this one waited for its turn.
            if _state(connection, "generation") == generation:
                return 0
            changes = self._apply_changes(connection)
            # What was written meanwhile may have been read or not: then the next search looks again.
            settled = generation if self._store.generation == generation else ""
            connection.execute("INSERT OR REPLACE INTO state VALUES ('generation', ?)", (settled,))
        return changes

    def _apply_changes(self, connection: sqlite3.Connection) -> int:
        chunk_ids = _chunks_by_record(self._store.ids())
        heads = self._store.each_metadata([ids[0] for ids in chunk_ids.values()])
        stored_hashes = {chunk_id: str(head.get("record_hash", "")) for chunk_id, head in heads}
        hashes = {record_id: stored_hashes.get(ids[0], "") for record_id, ids in chunk_ids.items()}
        numbers, known = {}, {}
        for number, record_id, record_hash, stored_ids in connection.execute("SELECT * FROM record"):
            numbers[record_id] = number
            known[record_id] = (record_hash, json.loads(stored_ids))
        # A record without a hash may have changed at any time.
        changed = [
            name for name, ids in chunk_ids.items() if not hashes[name] or known.get(name) != (hashes[name], ids)
        ]
        gone = [name for name in known if name not in chunk_ids]
        if len(changed) > _RECORDS_PER_BATCH:
            _logger.info("Reading the words of %d records for the search by words.", len(changed))
        for name in [*gone, *(name for name in changed if name in numbers)]:
            _remove(connection, numbers[name])
        for batch in _batched(changed, _RECORDS_PER_BATCH):
            texts, headings = self._read({name: chunk_ids[name] for name in batch})
            for name in batch:
                row = (name, hashes[name], json.dumps(chunk_ids[name]))
                _insert(connection, row, texts[name], headings[name])
        return len(changed) + len(gone)

    def _read(self, chunk_ids: dict[str, list[str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Read the texts and MeSH headings of records, by record id."""
        wanted = [chunk_id for ids in chunk_ids.values() for chunk_id in ids]
        nodes = {node.node_id: node for node in self._store.nodes(wanted)}
        texts, headings = {}, {}
        for name, ids in chunk_ids.items():
            found = [nodes[chunk_id] for chunk_id in ids if chunk_id in nodes]
            texts[name] = _joined([(getattr(node, "start_char_idx", None), node.get_content()) for node in found])
            headings[name] = list(found[0].metadata.get("mesh", [])) if found else []
        return texts, headings

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._connections, "open", None)
        if connection is None:
            connection = self._connections.open = self._open()
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.with_name(f"{self._path.name}.lock").touch()
        except OSError as error:
            raise self._unusable(error) from error
        # SQLite does not let several processes switch to a write-ahead log at once.
        with FileLock(f"{self._path}.lock"):
            connection = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        made_by = _state(connection, "made_by")
        if made_by is None:
            connection.execute("INSERT INTO state VALUES ('made_by', ?)", (self._made_by,))
        elif made_by != self._made_by:
            raise _OutdatedError

    def _rebuilt_where_damaged(self, action: Callable[[], _Result]) -> _Result:
        try:
            return self._rebuilt_once(action)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> SearchCacheError:
        return SearchCacheError(
            f"The search cache {self._path} cannot be used: {error}. Free some space or make its folder writable, or "
            "search by meaning alone (retrieval 'dense')."
        )

    def _rebuilt_once(self, action: Callable[[], _Result]) -> _Result:
        try:
            return action()
        except _OutdatedError:
            self._discard()
        except sqlite3.DatabaseError as error:
            if (error.sqlite_errorcode & 0xFF) not in _DAMAGED:
                raise
            _logger.warning("The search cache %s is damaged (%s) and is built anew.", self._path, error)
            self._discard()
        self._refresh()
        return action()

    def _discard(self) -> None:
        self._discard_connection()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _discard_connection(self) -> None:
        connection: sqlite3.Connection | None = getattr(self._connections, "open", None)
        if connection is not None:
            connection.close()
        self._connections = threading.local()


class _OutdatedError(Exception):
    """The file was made by other rules or from another collection."""


def heading_key(terms: Sequence[str]) -> str:
    """Return what identifies a MeSH heading whatever its word order.

    "Neoplasms, Breast" is "breast neoplasms".
    """
    return " ".join(sorted(set(terms)))


def heading_term(heading: str) -> str:
    """Return the search term of a MeSH heading; no text can hold it."""
    return f"mesh0{hashlib.sha256(heading.lower().encode()).hexdigest()[:12]}"


def record_of(chunk_id: str) -> str:
    """Return the record id in a chunk id: ``PMID:123`` of ``PMID:123#4``."""
    return chunk_id.rpartition("#")[0] or chunk_id


def _default_path(store: ChunkStore) -> Path:
    return (store.folder or cache_dir() / "search") / f"words-{store.collection_id}.sqlite3"


def _chunks_by_record(ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the chunk ids of each record, ordered by number."""
    chunk_ids: dict[str, list[str]] = {}
    for chunk_id in ids:
        chunk_ids.setdefault(record_of(chunk_id), []).append(chunk_id)
    for members in chunk_ids.values():
        members.sort(key=lambda chunk_id: (len(chunk_id), chunk_id))
    return chunk_ids


def _joined(chunks: Sequence[tuple[int | None, str]]) -> str:
    """Join overlapping chunks into the text of their record.

    Chunks without positions are set side by side.
    """
    text, end = "", 0
    for start, chunk in sorted(chunks, key=lambda chunk: chunk[0] or 0):
        if start is None or start >= end:
            text = f"{text}\n{chunk}" if text else chunk
        else:
            text += chunk[end - start :]
        end = max(end, (start or 0) + len(chunk))
    return text


def _insert(connection: sqlite3.Connection, row: tuple[str, str, str], text: str, headings: Sequence[str]) -> None:
    number = connection.execute("INSERT INTO record (id, hash, chunk_ids) VALUES (?, ?, ?)", row).lastrowid
    terms = [*lexical_terms(text), *map(heading_term, headings)]
    connection.execute("INSERT INTO words (rowid, terms) VALUES (?, ?)", (number, " ".join(terms)))
    pairs = {(short, " ".join(long.lower().split())) for short, long in find_acronyms(text)}
    connection.executemany("INSERT INTO acronym VALUES (?, ?, ?)", [(number, *pair) for pair in sorted(pairs)])
    keys = [(number, heading_key(lexical_terms(heading)), heading) for heading in headings]
    connection.executemany("INSERT INTO heading VALUES (?, ?, ?)", keys)


def _remove(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
    for table in ("record", "acronym", "heading"):
        connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))  # noqa: S608  # our own names


def _state(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


@contextmanager
def _committed_or_rolled_back(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _batched(items: Sequence[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
