"""The writer lock of an index on a Chroma server, for all machines.

A Chroma server has no locks, but of several clients that make a collection of one name, one succeeds. So the writer of
the collection NAME holds an empty collection ``NAME.writer``, whose metadata say who that is, and which it renews every
few seconds. Whoever waits, and sees that the collection was not renewed for the length of a lease, takes it away and
tries to make its own. It is taken away by its id, so that a lock that somebody else has made meanwhile stays.
"""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import chromadb
import httpx
from chromadb.errors import ChromaError, NotFoundError

from llama_index_medqa.vector_store import leased_lock
from llama_index_medqa.vector_store.leased_lock import LeasedLock
from llama_index_medqa.vector_store.write_lock import about_this_process

LOCK_SUFFIX = ".writer"
# What Chroma says where there is a collection of that name.
_TAKEN = "already exists"


class ServerWriterLock(LeasedLock):
    """The lock of a collection on a Chroma server.

    Args:
        collection: the collection, open.
        location: the address of the server, for messages.
    """

    def __init__(self, collection: chromadb.Collection, location: str) -> None:
        super().__init__(location)
        self._api = collection._client
        self._scope: dict[str, Any] = {"tenant": collection.tenant, "database": collection.database}
        self._name = f"{collection.name}{LOCK_SUFFIX}"
        self._id: uuid.UUID | None = None
        self._is_lent = False

    @property
    def token(self) -> str:
        """Return the token that lets others write as this one.

        The one that holds the lock; see :meth:`write_for`.
        """
        return str(self._id)

    def write_for(self, token: str) -> None:
        """Write for another process, which keeps the lock.

        Args:
            token: of that process.
        """
        self._id, self._is_lent = uuid.UUID(token), True

    def _take(self, wait: bool) -> None:
        if self._is_lent:
            return
        watched: tuple[Any, ...] = ()
        since, is_logged = 0.0, False
        while not self._make():
            found = self._found()
            if found is None:
                continue
            state = (found[0], found[1].get("renewed"))
            if state != watched:
                if watched and not wait:
                    raise self._busy(found[1])
                watched, since = state, time.monotonic()
            elif self._is_over(since):
                self._take_away(found[0])
                continue
            if wait and not is_logged:
                self._log_waiting(found[1])
                is_logged = True
            time.sleep(leased_lock.POLL_S)

    def _make(self) -> bool:
        try:
            model = self._api.create_collection(self._name, metadata=self._metadata(), **self._scope)
        except ChromaError as error:
            if _TAKEN not in str(error):
                raise
            return False
        self._id, self._renewed = model.id, time.monotonic()
        self._begin_renewing(lambda: self._renew(model.id))
        return True

    def _release(self) -> None:
        if self._is_lent:
            return
        self._released.set()
        lock, self._id = self._id, None
        if lock is not None:
            with suppress(httpx.TransportError):
                # Where the server is gone, whoever writes next waits for the lease to end.
                self._take_away(lock)

    def _take_away(self, lock: uuid.UUID) -> None:
        """Remove a lock by its id.

        Several processes may do so at once.
        """
        gone = f"{self._name}.{uuid.uuid4().hex}"
        with suppress(NotFoundError):
            self._api._modify(lock, new_name=gone, **self._scope)
            self._api.delete_collection(gone, **self._scope)

    def _renew(self, lock: uuid.UUID) -> bool:
        with suppress(httpx.TransportError, ChromaError):
            self._api._modify(lock, new_metadata=self._metadata(), **self._scope)
            found = self._found()
            return found is not None and found[0] == lock
        return False

    def _is_held(self) -> bool:
        if not self._is_lent:
            return super()._is_held()
        found = self._found()
        return found is not None and found[0] == self._id

    def _found(self) -> tuple[uuid.UUID, Mapping[str, Any]] | None:
        try:
            model = self._api.get_collection(self._name, **self._scope)
        except NotFoundError:
            return None
        return model.id, model.metadata or {}

    def _metadata(self) -> dict[str, Any]:
        return {**about_this_process(), "renewed": uuid.uuid4().hex}


def is_behind_server(collection: chromadb.Collection) -> bool:
    """Return whether a collection is on a Chroma server."""
    system = getattr(collection._client, "_system", None)
    return system is not None and bool(system.settings.chroma_server_host)
