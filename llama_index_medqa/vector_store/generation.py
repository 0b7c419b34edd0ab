"""What is known about a collection beside its rows: whether anything was written, under which keys, of which days."""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import chromadb
import numpy as np
from chromadb.api.types import Metadata
from chromadb.errors import NotFoundError

COMPANION_SUFFIX = ".state"
# An older mark belongs to a writer that was killed, and what it had sent has arrived or never will.
MARK_LIFETIME_S = 120.0


class CollectionState:
    """The generation of a collection, the metadata keys in it and the days of its sources.

    They are kept in a small companion collection of the same database.

    Every writer owns one row there. It marks the row as open before it touches the collection and closes it with a new
    random token afterwards, so that two writers never overwrite each other's marks, and no write to the collection's
    own metadata (which Chroma replaces as a whole) is needed. A writer that is killed leaves its mark open.

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
        self._writer = uuid.uuid4().hex
        self._has_swept = False
        self._is_settled = False
        self._noted: set[str] = set()
        self._depth = 0
        self._lock = threading.Lock()

    def move_to(self, collection: chromadb.Collection) -> None:
        """Goes on with the same collection of a database that was opened anew."""
        self._collection, self._companion, self._is_settled = collection, None, False

    def generation(self) -> str:
        """A value that is another after every write or removal; see :attr:`PubMedVectorStore.generation`."""
        marks = self._rows("writer")
        state = [str(self._collection.id), *sorted([name, mark["token"]] for name, mark in marks.items())]
        digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
        oldest = time.time() - MARK_LIFETIME_S
        if any(mark["open"] and float(str(mark["time"])) > oldest for mark in marks.values()):
            return f"{digest}-{uuid.uuid4().hex}"
        return digest

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around every change of the collection; may be nested, and entered by several threads.

        After an error the mark stays open: nobody knows how much of the change went in.
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
        """Remembers that rows may have these metadata keys; they are never forgotten."""
        new = sorted(set(keys) - self._noted)
        if not new:
            return
        companion = self._open_companion(create=True)
        assert companion is not None  # noqa: S101  # it was just made
        rows: list[Metadata] = [{"kind": "key", "key": key} for key in new]
        vectors = np.ones((len(new), 1), np.float32)
        companion.upsert(ids=[f"key:{key}" for key in new], embeddings=vectors, metadatas=rows)
        self._noted.update(new)

    def keys(self) -> set[str]:
        """The metadata keys that were ever noted."""
        return {str(row["key"]) for row in self._rows("key").values()}

    def days(self) -> dict[str, str]:
        """The days of the sources, as ISO dates, by the ids of their rows."""
        rows = self._rows("day")
        return {name: str(row["day"]) for name, row in rows.items() if row["of"] == str(self._collection.id)}

    def note_day(self, day: str, replacing: Collection[str]) -> None:
        """Adds the day of a source, then removes others.

        Every day is a row of its own, so that two writers never overwrite each other's.

        Args:
            day: as an ISO date.
            replacing: ids of rows of :meth:`days` that no longer hold.
        """
        companion = self._open_companion(create=True)
        assert companion is not None  # noqa: S101  # it was just made
        # The companion outlives a collection that is deleted; another one of that name has another id.
        row: Metadata = {"kind": "day", "day": day, "of": str(self._collection.id)}
        companion.upsert(ids=[f"day:{uuid.uuid4().hex}"], embeddings=np.ones((1, 1), np.float32), metadatas=[row])
        if replacing:
            companion.delete(ids=list(replacing))

    def _rows(self, kind: str) -> dict[str, Metadata]:
        companion = self._open_companion(create=False)
        if companion is None:
            return {}
        rows = companion.get(where={"kind": kind}, include=["metadatas"])
        return dict(zip(rows["ids"], rows["metadatas"] or [], strict=True))

    def _mark(self, *, is_open: bool) -> None:
        is_first = not self._has_swept
        companion = self._open_companion(create=True)
        assert companion is not None  # noqa: S101  # it was just made
        mark: Metadata = {"kind": "writer", "open": is_open, "token": uuid.uuid4().hex, "time": time.time()}
        companion.upsert(ids=[self._writer], embeddings=np.ones((1, 1), np.float32), metadatas=[mark])
        if is_first:
            self._has_swept = True
            # Rows of long-gone writers. Our own is there already: the rows never become again what they once were.
            long_gone: Any = {"time": {"$lt": time.time() - MARK_LIFETIME_S}}
            companion.delete(where=long_gone)

    def _open_companion(self, *, create: bool) -> chromadb.Collection | None:
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
