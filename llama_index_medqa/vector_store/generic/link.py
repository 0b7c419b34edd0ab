"""What ties a folder to a LlamaIndex store: the same chunks in both, after any kill, and a marker of their state."""

import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from llama_index_medqa.errors import InputError, StorageError
from llama_index_medqa.vector_store.generic.capabilities import StoreCapabilities
from llama_index_medqa.vector_store.generic.linked_store import LinkedStore
from llama_index_medqa.vector_store.generic.side_file import KeyedRow, SideFile

_LINK = "link"
# Names the first marker, the same in each attempt: one that was stopped is no stranger to the next.
_FIRST = "0"


class StoreLink:
    """Writes to a store and to the file beside it.

    The keys of what is about to change are noted first, then the store is written, then the file. So after a kill it is
    known of which keys the store may hold something else than the file, and it is given again what the file holds.

    Args:
        file: the file.
        linked: the store.
        folder: of the index, for messages.
    """

    def __init__(self, file: SideFile, linked: LinkedStore, folder: Path) -> None:
        self._file = file
        self._linked = linked
        self._folder = folder
        self._has_begun = False

    @property
    def capabilities(self) -> StoreCapabilities | None:
        """Return what the store can do; None before the first write."""
        link = self._read()
        return StoreCapabilities.from_json(link["capabilities"]) if link else None

    def require_marker(self) -> None:
        """Raise unless the store is in the state that the file tells.

        Raises:
            StorageError: it is not.
        """
        link = self._read()
        if link is None:
            if self._file.count():
                raise self._refilling()
            return
        able = StoreCapabilities.from_json(link["capabilities"])
        if not self._linked.holds_marker(link["dimension"], link["epochs"], able):
            raise StorageError(
                f"The {self._linked.name} is not in the state that the folder {self._folder} tells: it is another "
                "collection or an older copy, or was written to by way of another folder. Give the right one; or give "
                "an empty one once with refill=True: it is filled from the folder."
            )

    def settle(self) -> None:
        """Begin to write as the only one: make good what a killed process left open.

        Raises:
            StorageError: the store is not in the state that the file tells.
        """
        self._has_begun = False
        self.require_marker()
        pending, able = self._file.pending(), self.capabilities
        if not pending or able is None:
            return
        self._linked.remove(dict.fromkeys(pending, ""), able)
        held = self._file.known_keys(pending)
        rows = self._file.by_keys(sorted(held))
        self._linked.put([KeyedRow(self._linked.key_of(row.node_id), row) for row in rows], able)
        self._file.settle(pending)

    def begin(self, dimensions: Collection[int]) -> None:
        """Move the marker on before the first change of a writer; on the first write of all, try the store.

        Args:
            dimensions: the lengths of the vectors that are to be written.

        Raises:
            InputError: a vector has another length than those in the store; or the store cannot hold an index.
        """
        link = self._read()
        if link is None:
            self._introduce(_only(dimensions))
        elif any(length != link["dimension"] for length in dimensions):
            raise InputError(
                f"The index in {self._folder} holds vectors of {link['dimension']} numbers, and was given one of "
                f"{', '.join(map(str, sorted(dimensions)))}."
            )
        elif not self._has_begun:
            self._move_marker(link)
        self._has_begun = True

    def put(self, rows: Sequence[KeyedRow]) -> None:
        """Write rows to the store, then to the file."""
        able, keys = self._able(), [one.key for one in rows]
        self._file.begin(keys)
        if not able.replaces:
            self._linked.remove(dict.fromkeys(self._file.known_keys(keys), ""), able)
        self._linked.put(rows, able)
        self._file.finish_writing(rows)

    def remove(self, keys: Sequence[str]) -> None:
        """Take rows away from the store, then from the file."""
        self._file.begin(keys)
        self._linked.remove(dict.fromkeys(keys, ""), self._able())
        self._file.finish_removing(keys)

    def refill(self, batch_size: int) -> int:
        """Write everything that the file holds to a store that is empty, or that holds this index, damaged or not.

        Args:
            batch_size: rows at once.

        Returns:
            The number of rows.
        """
        pages = self._file.pages(batch_size, vectors=True, where=None)
        first, done = next(pages, []), 0
        if not first or first[0].row.vector is None:
            self._file.remove([_LINK])
            return 0
        dimension = len(first[0].row.vector)
        # What is tied to another store stays so where this one is refused.
        link, pending = self._read(), self._file.pending()
        former = self._linked.marker_keys(dimension, link["epochs"] if link else [])
        able = self._linked.introduce(
            dimension, _FIRST, lambda keys: self._file.known_keys(keys) | set(keys).intersection(pending), former
        )
        # Without a link nobody opens the index: a refill that is stopped is no whole one.
        self._file.remove([_LINK])
        # Of these the store may hold what the file does not.
        self._linked.remove(dict.fromkeys(pending, ""), able)
        self._file.settle(pending)
        page: Sequence[KeyedRow] = first
        while page:
            if not able.replaces:
                self._linked.remove({one.key: "" for one in page}, able)
            self._linked.put(page, able)
            done += len(page)
            page = next(pages, [])
        self._move_marker({"dimension": dimension, "epochs": [_FIRST], "capabilities": able.as_json()})
        return done

    def _introduce(self, dimension: int) -> None:
        if self._file.count():
            raise self._refilling()
        able = self._linked.introduce(dimension, _FIRST, self._file.known_keys)
        self._move_marker({"dimension": dimension, "epochs": [_FIRST], "capabilities": able.as_json()})

    def _move_marker(self, link: dict[str, Any]) -> None:
        """Put a new marker in place of the old: an older copy of the store has another one."""
        epoch, able = uuid.uuid4().hex, StoreCapabilities.from_json(link["capabilities"])
        self._write({**link, "epochs": [*link["epochs"], epoch]})
        self._linked.put_marker(link["dimension"], epoch)
        self._linked.remove_markers(link["dimension"], link["epochs"], able)
        self._write({**link, "epochs": [epoch]})

    def _able(self) -> StoreCapabilities:
        able = self.capabilities
        assert able is not None  # noqa: S101  # begin() comes first
        return able

    def _read(self) -> dict[str, Any] | None:
        link = self._file.rows(_LINK).get(_LINK)
        return dict(link) if link else None

    def _write(self, link: dict[str, Any]) -> None:
        self._file.put({_LINK: {**link, "kind": _LINK}})

    def _refilling(self) -> StorageError:
        return StorageError(
            f"The {self._linked.name} of the index in {self._folder} was being filled from the folder, and that was "
            "stopped: open the index once more with refill=True."
        )


def _only(dimensions: Collection[int]) -> int:
    if len(dimensions) != 1:
        raise InputError(f"Vectors of one index have one length, not {sorted(dimensions)}.")
    return next(iter(dimensions))
