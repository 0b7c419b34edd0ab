"""A writer lock on a server, which a process holds for as long as it renews it.

What the locks of all engines share; how a lock is taken, renewed and released is each engine's own.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llama_index_medqa.errors import IndexBusyError, ServerError
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.write_lock import described

_logger = logger_of(__name__)

# After so long without being renewed, a lock belongs to a process that was killed, seconds.
LEASE_S = 60.0
RENEWAL_S = 5.0
POLL_S = 0.5


class LeasedLock(ABC):
    """A lock for one writing process of a server's collection.

    All of its threads may write.

    Args:
        location: the address of the server, for messages.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._guard = threading.Lock()
        self._holders = 0
        self._renewed = 0.0
        self._released = threading.Event()

    @contextmanager
    def held(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock for a ``with`` block.

        It may be nested, and entered by several threads.

        Args:
            wait: whether to wait for another process that writes; the log says for which. Without waiting it takes
                some seconds to see that such a process is alive, and a lease to see that it is not.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            ServerError: the lock was lost, because the server could not be reached for the length of a lease.
        """
        with self._guard:
            if self._holders == 0:
                self._take(wait)
            self._holders += 1
        try:
            if not self._is_held():
                raise ServerError(
                    f"The lock of the index at {self._location} was lost, because the server did not answer for "
                    f"{LEASE_S:.0f} seconds or this process was stopped for so long: repeat the command, what is there "
                    "already is not written again."
                )
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0:
                    self._release()

    @abstractmethod
    def _take(self, wait: bool) -> None:
        """Wait until the lock is ours, and begin to renew it."""

    @abstractmethod
    def _release(self) -> None:
        """Give the lock back, and stop renewing it."""

    def _is_held(self) -> bool:
        return not self._is_over(self._renewed)

    def _is_over(self, since: float) -> bool:
        """Return whether a lease is over that began at a moment of the monotonic clock."""
        return time.monotonic() - since >= LEASE_S

    def _begin_renewing(self, renew: Callable[[], bool]) -> None:
        """Renew the lock in a thread until it is released.

        Args:
            renew: renews it once, and returns whether it is still ours.
        """
        self._released = threading.Event()
        threading.Thread(target=self._keep_renewing, args=(self._released, renew), daemon=True).start()

    def _keep_renewing(self, released: threading.Event, renew: Callable[[], bool]) -> None:
        while not released.wait(RENEWAL_S):
            started = time.monotonic()
            if renew():
                self._renewed = started

    def _busy(self, holder: Any) -> IndexBusyError:
        return IndexBusyError(
            f"The index at {self._location} is being written by {described(holder)}: wait until it is done, or run the "
            "command without --no-wait."
        )

    def _log_waiting(self, holder: Any) -> None:
        _logger.warning("Waiting for %s, which writes to the index at %s.", described(holder), self._location)
