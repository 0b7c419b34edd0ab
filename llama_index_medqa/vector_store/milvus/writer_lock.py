"""The writer lock of an index on a Milvus server, for all machines.

Milvus has no locks, but with its strong consistency whoever reads after writing sees what others had written before. So
a process that wants to write says so in a row of the state record, and then looks: where no other says so too it holds
the lock, and renews its row every few seconds; else it takes its word back, and tries again after a random time. Two
can never both find themselves alone. A row that was not renewed for the length of a lease belongs to a process that was
killed, and is removed by whoever waits.
"""

import random
import time
import uuid
from contextlib import suppress
from typing import Any

from llama_index_medqa.vector_store import leased_lock
from llama_index_medqa.vector_store.generation import StateTable
from llama_index_medqa.vector_store.leased_lock import LeasedLock
from llama_index_medqa.vector_store.write_lock import about_this_process


class StateRowLock(LeasedLock):
    """The lock of a collection on a Milvus server.

    Args:
        table: the state record.
        location: the address of the server, for messages.
    """

    def __init__(self, table: StateTable, location: str) -> None:
        super().__init__(location)
        self._table = table
        self._id = f"lock:{uuid.uuid4().hex}"

    def _take(self, wait: bool) -> None:
        watched: dict[str, tuple[str, float]] = {}
        is_logged = False
        while others := self._others() or self._claimed():
            for name, row in others.items():
                token, since = watched.get(name, ("", 0.0))
                if token != row["renewed"]:
                    if token and not wait:
                        raise self._busy(row)
                    watched[name] = (row["renewed"], time.monotonic())
                elif self._is_over(since):
                    self._table.remove([name])
            if wait and not is_logged:
                self._log_waiting(next(iter(others.values())))
                is_logged = True
            time.sleep(random.uniform(leased_lock.POLL_S / 2, leased_lock.POLL_S))  # noqa: S311  # no secret
        self._begin_renewing(self._renew)

    def _release(self) -> None:
        self._released.set()
        self._table.remove([self._id])

    def _claimed(self) -> dict[str, Any]:
        """Claim the lock, and return who else does: then the claim is taken back."""
        self._renewed = time.monotonic()
        self._put()
        others = self._others()
        if others:
            self._table.remove([self._id])
        return others

    def _others(self) -> dict[str, Any]:
        return {name: row for name, row in self._table.rows("lock").items() if name != self._id}

    def _put(self) -> None:
        row = {"kind": "lock", "renewed": uuid.uuid4().hex, "time": time.time(), **about_this_process()}
        self._table.put({self._id: row})

    def _renew(self) -> bool:
        from pymilvus.exceptions import MilvusException

        with suppress(MilvusException):
            # A row that was taken away is not made again: another may hold the lock.
            if self._id in self._table.rows("lock"):
                self._put()
                return True
        return False
