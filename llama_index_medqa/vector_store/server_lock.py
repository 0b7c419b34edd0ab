"""The lock of an index behind a Chroma server: one writer at a time, from whichever machine.

A Chroma server has no locks, but of several clients that make a collection of one name, one succeeds. So the writer of
the collection NAME holds an empty collection ``NAME.writer``, whose metadata say who that is, and which it renews every
few seconds. Whoever waits, and sees that the collection was not renewed for the length of a lease, takes it away and
tries to make its own. It is taken away by its id, so that a lock that somebody else has made meanwhile stays.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import chromadb
import httpx
from chromadb.errors import ChromaError, NotFoundError

from llama_index_medqa.errors import IndexBusyError, ServerError
from llama_index_medqa.vector_store.write_lock import about_this_process, described

_logger = logging.getLogger(__name__)

LOCK_SUFFIX = ".writer"
# After so long without being renewed, a lock belongs to a process that was killed, seconds.
LEASE_S = 60.0
RENEWAL_S = 5.0
_POLL_S = 0.5
# What Chroma says where there is a collection of that name.
_TAKEN = "already exists"


class ServerWriterLock:
    """Lets one process at a time write to a collection of a Chroma server, with all of its threads.

    Args:
        collection: the collection, open.
        place: the address of the server, for messages.
    """

    def __init__(self, collection: chromadb.Collection, place: str) -> None:
        self._api = collection._client
        self._scope: dict[str, Any] = {"tenant": collection.tenant, "database": collection.database}
        self._name = f"{collection.name}{LOCK_SUFFIX}"
        self._place = place
        self._guard = threading.Lock()
        self._holders = 0
        self._id: uuid.UUID | None = None
        self._is_lent = False
        self._renewed = 0.0
        self._released = threading.Event()

    @property
    def token(self) -> str:
        """What lets other processes write as part of this one, which holds the lock; see :meth:`write_for`."""
        return str(self._id)

    def write_for(self, token: str) -> None:
        """Write as part of another process, which holds the lock and keeps it.

        Args:
            token: of that process.
        """
        self._id, self._is_lent = uuid.UUID(token), True

    @contextmanager
    def held(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock for the length of the ``with`` block; may be nested, and entered by several threads.

        Args:
            wait: whether to wait for another process that writes; the log says for which. Without waiting it takes
                some seconds to see that such a process is alive, and a lease to see that it is not.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            ServerError: the lock was lost, because the server could not be reached for the length of a lease.
        """
        with self._guard:
            if self._holders == 0 and not self._is_lent:
                self._take(wait)
            self._holders += 1
        try:
            self._require_held()
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0 and not self._is_lent:
                    self._release()

    def _take(self, wait: bool) -> None:
        watched: tuple[Any, ...] = ()
        since, is_told = 0.0, False
        while not self._make():
            found = self._found()
            if found is None:
                continue
            state = (found[0], found[1].get("renewed"))
            if state != watched:
                if watched and not wait:
                    raise IndexBusyError(
                        f"The index at {self._place} is being written by {described(found[1])}: wait until it is done, "
                        "or run the command without --no-wait."
                    )
                watched, since = state, time.monotonic()
            elif time.monotonic() - since > LEASE_S:
                self._take_away(found[0])
                continue
            if wait and not is_told:
                _logger.warning("Waiting for %s, which writes to the index at %s.", described(found[1]), self._place)
                is_told = True
            time.sleep(_POLL_S)

    def _make(self) -> bool:
        try:
            model = self._api.create_collection(self._name, metadata=self._metadata(), **self._scope)
        except ChromaError as error:
            if _TAKEN not in str(error):
                raise
            return False
        self._id, self._renewed, self._released = model.id, time.monotonic(), threading.Event()
        threading.Thread(target=self._renew, args=(self._released, model.id), daemon=True).start()
        return True

    def _release(self) -> None:
        self._released.set()
        lock, self._id = self._id, None
        if lock is not None:
            with suppress(httpx.TransportError):
                # Where the server is gone, whoever writes next waits for the lease to end.
                self._take_away(lock)

    def _take_away(self, lock: uuid.UUID) -> None:
        """Remove a lock by its id; several processes may do so at once."""
        gone = f"{self._name}.{uuid.uuid4().hex}"
        with suppress(NotFoundError):
            self._api._modify(lock, new_name=gone, **self._scope)
            self._api.delete_collection(gone, **self._scope)

    def _renew(self, released: threading.Event, lock: uuid.UUID) -> None:
        while not released.wait(RENEWAL_S):
            started = time.monotonic()
            with suppress(httpx.TransportError, ChromaError):
                self._api._modify(lock, new_metadata=self._metadata(), **self._scope)
                found = self._found()
                if found is not None and found[0] == lock:
                    self._renewed = started

    def _require_held(self) -> None:
        if self._is_lent:
            found = self._found()
            is_held = found is not None and found[0] == self._id
        else:
            is_held = time.monotonic() - self._renewed < LEASE_S
        if not is_held:
            raise ServerError(
                f"The lock of the index at {self._place} was lost, because the server did not answer for "
                f"{LEASE_S:.0f} seconds or this process was stopped for so long: repeat the command, what is there "
                "already is not written again."
            )

    def _found(self) -> tuple[uuid.UUID, Mapping[str, Any]] | None:
        try:
            model = self._api.get_collection(self._name, **self._scope)
        except NotFoundError:
            return None
        return model.id, model.metadata or {}

    def _metadata(self) -> dict[str, Any]:
        return {**about_this_process(), "renewed": uuid.uuid4().hex}


def is_behind_server(collection: chromadb.Collection) -> bool:
    """Whether a collection lies behind a Chroma server."""
    system = getattr(collection._client, "_system", None)
    return system is not None and bool(system.settings.chroma_server_host)
