"""The state of a collection beside its rows: generation, keys, days.

The same for every engine, over a small table that the engine keeps beside the collection.
"""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import chromadb
import numpy as np
from chromadb.errors import NotFoundError

COMPANION_SUFFIX = ".state"
# An older mark belongs to a writer that was killed, and what it had sent has arrived or never will.
MARK_LIFETIME_S = 120.0

StateRow = dict[str, Any]


class StateTable(Protocol):
    """A small table of an engine; each row is flat and has a ``kind``."""

    @property
    def collection_id(self) -> str:
        """Return what tells the collection from another of its name."""
        ...

    def rows(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the rows of a kind, by id; none where the table has not been made yet."""
        ...

    def put(self, rows: Mapping[str, StateRow]) -> None:
        """Write rows by id, and replace equal ones. A missing table is made."""
        ...

    def remove(self, ids: Collection[str]) -> None:
        """Delete rows by id; unknown ids are ignored."""
        ...

    def remove_marks_before(self, moment: float) -> None:
        """Delete the rows of writers whose ``time`` is earlier, in seconds since 1970."""
        ...


class CollectionState:
    """The generation, keys and days of a collection.

    The keys are those of metadata, the days those of its sources.

    Every writer owns one row of the table. It marks the row as open before it touches the collection and closes it with
    a new random token afterwards, so that two writers never overwrite each other's marks, and no write to the
    collection's own metadata (which engines replace as a whole) is needed. A writer that is killed leaves its mark
    open.

    Args:
        table: where all this lies.
    """

    def __init__(self, table: StateTable) -> None:
        self._table = table
        self._writer = uuid.uuid4().hex
        self._has_swept = False
        self._noted: set[str] = set()
        self._depth = 0
        self._lock = threading.Lock()

    def generation(self) -> str:
        """Return a value that changes with every write.

        See :attr:`RowStore.generation`.
        """
        marks = self._table.rows("writer")
        state = [self._table.collection_id, *sorted([name, mark["token"]] for name, mark in marks.items())]
        digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
        oldest = time.time() - MARK_LIFETIME_S
        if any(mark["open"] and float(mark["time"]) > oldest for mark in marks.values()):
            return f"{digest}-{uuid.uuid4().hex}"
        return digest

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Enter around every change of the collection.

        It may be nested, and entered by several threads.

        After an error the mark stays open: it is unknown how much of the change was written.
        """
        with self._lock:
            if self._depth == 0:
                self._mark(is_open=True)
            self._depth += 1
        finished = False
        try:
            yield
            finished = True
        finally:
            with self._lock:
                self._depth -= 1
                if finished and self._depth == 0:
                    self._mark(is_open=False)

    def note_keys(self, keys: Collection[str]) -> None:
        """Store keys that metadata of rows may have.

        They are never removed.
        """
        new = sorted(set(keys) - self._noted)
        if new:
            self._table.put({f"key:{key}": {"kind": "key", "key": key} for key in new})
            self._noted.update(new)

    def keys(self) -> set[str]:
        """Return the metadata keys that were ever stored."""
        return {str(row["key"]) for row in self._table.rows("key").values()}

    def days(self) -> dict[str, str]:
        """Return the days of the sources, by ids of their rows.

        As ISO dates.
        """
        rows = self._table.rows("day")
        return {name: str(row["day"]) for name, row in rows.items() if row["of"] == self._table.collection_id}

    def note_day(self, day: str, replacing: Collection[str]) -> None:
        """Add the day of a source, then remove others.

        Every day is a row of its own, so that two writers never overwrite each other's.

        Args:
            day: as an ISO date.
            replacing: ids of rows of :meth:`days` that no longer hold.
        """
        # The table outlives a collection that is deleted; another one of that name has another id.
        row = {"kind": "day", "day": day, "of": self._table.collection_id}
        self._table.put({f"day:{uuid.uuid4().hex}": row})
        if replacing:
            self._table.remove(replacing)

    def _mark(self, *, is_open: bool) -> None:
        mark = {"kind": "writer", "open": is_open, "token": uuid.uuid4().hex, "time": time.time()}
        self._table.put({self._writer: mark})
        if not self._has_swept:
            self._has_swept = True
            # Rows of long-gone writers. Our own is there already: the rows never become again what they once were.
            self._table.remove_marks_before(time.time() - MARK_LIFETIME_S)


class CompanionCollection:
    """The table as a small companion collection in the same Chroma database.

    Args:
        collection: the collection, open. The companion is made when something is written.
        settle: called with the companion before it is first read.
    """

    def __init__(
        self, collection: chromadb.Collection, settle: Callable[[chromadb.Collection], None] = lambda _: None
    ) -> None:
        self._collection = collection
        self._settle = settle
        self._companion: chromadb.Collection | None = None
        self._is_settled = False

    def move_to(self, collection: chromadb.Collection) -> None:
        """Go on with the collection of a reopened database."""
        self._collection, self._companion, self._is_settled = collection, None, False

    @property
    def collection_id(self) -> str:
        """Return Chroma's id of the collection."""
        return str(self._collection.id)

    def rows(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the rows of a kind, by id."""
        companion = self._open(create=False)
        if companion is None:
            return {}
        rows = companion.get(where={"kind": kind}, include=["metadatas"])
        return dict(zip(rows["ids"], rows["metadatas"] or [], strict=True))

    def put(self, rows: Mapping[str, StateRow]) -> None:
        """Write rows by id."""
        companion = self._open(create=True)
        assert companion is not None  # noqa: S101  # it was just made
        vectors = np.ones((len(rows), 1), np.float32)
        companion.upsert(ids=list(rows), embeddings=vectors, metadatas=list(rows.values()))

    def remove(self, ids: Collection[str]) -> None:
        """Delete rows by id."""
        if (companion := self._open(create=False)) is not None:
            companion.delete(ids=list(ids))

    def remove_marks_before(self, moment: float) -> None:
        """Delete the rows of writers whose ``time`` is earlier."""
        if (companion := self._open(create=False)) is not None:
            earlier: Any = {"time": {"$lt": moment}}
            companion.delete(where=earlier)

    def _open(self, *, create: bool) -> chromadb.Collection | None:
        if self._companion is not None:
            return self._companion
        client, tenant, database = self._collection._client, self._collection.tenant, self._collection.database
        name = f"{self._collection.name}{COMPANION_SUFFIX}"
        if create:
            model = client.get_or_create_collection(name, tenant=tenant, database=database)
            self._companion = chromadb.Collection(client=client, model=model, embedding_function=None)
            return self._companion
        try:
            model = client.get_collection(name, tenant=tenant, database=database)
        except NotFoundError:
            return None
        companion = chromadb.Collection(client=client, model=model, embedding_function=None)
        if not self._is_settled:
            self._settle(companion)
            self._is_settled = True
        return companion
