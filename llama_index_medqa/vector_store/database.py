"""A Chroma database in a folder that several processes use.

Chroma keeps the vectors of a collection in the memory of each process. It reads them when it opens the database, never
looks again for what others have added, and writes back what it has. So one process at a time writes, none opens the
database while another is in the middle of a write, and whoever finds that another has written opens it anew.
"""

import gc
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import chromadb
from chromadb.api.client import Client
from chromadb.config import DEFAULT_DATABASE, DEFAULT_TENANT
from chromadb.errors import NotFoundError

from llama_index_medqa.errors import DamagedVectorsError, IndexNotFoundError, StorageError
from llama_index_medqa.vector_store.client import (
    DATABASE_FILE,
    chroma_folder,
    is_folder,
    open_collection,
    opened,
    opened_anew,
    raise_storage_errors,
    unusable,
)
from llama_index_medqa.vector_store.generation import COMPANION_SUFFIX
from llama_index_medqa.vector_store.hnsw_files import DamagedVectorFilesError, require_sound, set_aside, vector_folders
from llama_index_medqa.vector_store.write_lock import FolderLock, WriterLock

# Another process holds the database for a batch, or for as long as it takes to open it, seconds.
_PATIENCE_S = 5.0
_COPY_ATTEMPTS = 5

# What tells one state of the database from another: the token of its last writer, and the file itself.
_Signature = tuple[str, tuple[int, ...]]


class ChromaDatabase:
    """The database in a folder, open once in this process.

    :func:`database_in` returns the same object to all.

    A folder that this process cannot write to is copied into a temporary folder and read there, because Chroma writes
    to its database when it opens it.

    Args:
        folder: the folder, absolute.
        path: the folder as it is given to Chroma, which knows open databases by that.
    """

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._path = path
        self._writer = WriterLock(folder)
        self._access = FolderLock(folder / "medqa.database.lock")
        self._token = folder / "medqa.generation"
        self._mutex = threading.RLock()
        self._client: Client | None = None
        self._settled: set[uuid.UUID] = set()
        self._seen: _Signature | None = None
        self._writers = 0
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.times_opened = 0

    @property
    def exists(self) -> bool:
        """Return whether there is a database in the folder."""
        return (self._folder / DATABASE_FILE).is_file()

    @property
    def is_read_only(self) -> bool:
        """Return whether this process cannot write to the folder."""
        return self._folder.is_dir() and not os.access(self._folder, os.W_OK)

    def collection(self, name: str, *, create: bool = False) -> chromadb.Collection:
        """Return a collection as it is now.

        Args:
            name: of the collection.
            create: whether to make a missing database or collection.

        Raises:
            IndexNotFoundError: there is none, and ``create`` is False.
            StorageError: the database is damaged, or cannot be made.
        """
        if create:
            self._make_folder()
        else:
            self._require_database()
        with self._accessed():
            self._catch_up(create=create)
            return self._open_collection(name, create=create)

    def follow(self) -> None:
        """Reopen the database if another process has written.

        :attr:`times_opened` then grows.

        Raises:
            IndexNotFoundError: it has been deleted.
            StorageError: it is damaged.
        """
        # While this process writes, no other does.
        if not self._writers and self._signature() != self._seen:
            self._require_database()
            with self._accessed():
                self._catch_up()

    @contextmanager
    def sole_writer(self, *, wait: bool = True) -> Iterator[None]:
        """Keep other processes from writing for a ``with`` block.

        It may be nested.

        Args:
            wait: whether to wait for another process that writes; the log says for which.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            StorageError: the folder cannot be written.
        """
        self._require_writable()
        self._make_folder()
        with ExitStack() as stack:
            with self._raise_storage_errors():
                stack.enter_context(self._writer.held(wait=wait))
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Enter around every change of the database.

        It may be nested, and entered by several threads.

        Raises:
            StorageError: the folder cannot be written, or the database is damaged.
        """
        with self.sole_writer(), self._accessed():
            with self._mutex:
                if not self._writers:
                    self._catch_up()
                    self._sign()
                self._writers += 1
            finished = False
            try:
                yield
                finished = True
            finally:
                with self._mutex:
                    self._writers -= 1
                    if not finished:
                        # Nobody knows how much of the change is in memory and how much on disk.
                        self._seen = None

    def settle(self, collection: chromadb.Collection) -> None:
        """Let Chroma complete what a killed process left.

        While nobody else uses the database.
        """
        with self._accessed():
            collection.count()

    def set_damaged_vectors_aside(self) -> list[Path]:
        """Rename folders of damaged vector files.

        Chroma then begins them anew, without a vector.

        Returns:
            Where they are now.
        """
        moved = []
        with self.sole_writer(), self._accessed(), self._mutex, self._raise_storage_errors():
            for folder in vector_folders(self._folder):
                try:
                    require_sound(folder)
                except DamagedVectorFilesError:
                    moved.append(set_aside(folder))
            if moved:
                self._sign()
                self._seen = None
        return moved

    def close(self) -> None:
        """Give back memory, threads and open files. Collections that were opened before can no longer be used."""
        with self._mutex:
            if self._client is not None:
                self._client.close()
            self._client = self._seen = self._copy = None

    def _open_collection(self, name: str, *, create: bool) -> chromadb.Collection:
        assert self._client is not None  # noqa: S101  # it was just opened
        location = str(self._folder)
        try:
            found = open_collection(self._client, name, location, create=False)
        except IndexNotFoundError:
            if not create:
                raise
            self._require_writable()
            found = open_collection(self._client, name, location, create=True)
        if found.id in self._settled:
            return found
        with raise_storage_errors(location):
            # At its first use Chroma takes up what a killed process left, and may write: so that is now.
            found.count()
            self._settled.add(found.id)
            try:
                companion = self._client.get_collection(f"{name}{COMPANION_SUFFIX}", embedding_function=None)
            except NotFoundError:
                return found
            companion.count()
        return found

    def _catch_up(self, *, create: bool = False) -> None:
        with self._mutex:
            signature = self._signature()
            if self._client is not None and signature == self._seen:
                return
            if not create:
                self._require_database()
            self._open()
            # The database may just have been made.
            self._seen = signature if self.is_read_only else self._signature()

    def _open(self) -> None:
        if self.is_read_only:
            self._path = self._copied()
        with self._raise_storage_errors(), raise_storage_errors(str(self._folder)):
            for folder in vector_folders(Path(self._path)):
                require_sound(folder)
            before = self._client
            self._client = opened(self._path) if before is None else opened_anew(self._path)
            if before is not None and not self.is_read_only:
                # Chroma counts those that use a path, and frees it when none is left. A copy has a path of its own,
                # which another thread may still read: that is freed when nobody refers to it.
                before.close()
        self._settled.clear()
        self.times_opened += 1

    def _copied(self) -> str:
        """Return the path of a copy of the database.

        It is made while nobody writes.
        """
        for _ in range(_COPY_ATTEMPTS):
            signature = self._signature()
            copy = tempfile.TemporaryDirectory(prefix="medqa-index-", ignore_cleanup_errors=True)
            with self._raise_storage_errors():
                for file in self._folder.glob(f"{DATABASE_FILE}*"):
                    shutil.copyfile(file, Path(copy.name) / file.name)
                for folder in vector_folders(self._folder):
                    shutil.copytree(folder, Path(copy.name) / folder.name, copy_function=shutil.copyfile)
            if signature == self._signature():
                self._copy = copy
                return copy.name
        raise StorageError(
            f"The index in {self._folder} cannot be written, so a copy of it is read, and it was written to each time "
            "it was copied: ask again when that is done, or make the folder writable."
        )

    @contextmanager
    def _accessed(self) -> Iterator[None]:
        """Hold the lock for opening or writing the database.

        No other process does either meanwhile.
        """
        if self.is_read_only:
            yield
            return
        with ExitStack() as stack:
            with self._raise_storage_errors():
                waiting = self._writer.tell_of_waiting
                stack.enter_context(self._access.held(patience=_PATIENCE_S, waiting=waiting))
            yield

    def _make_folder(self) -> None:
        with self._raise_storage_errors():
            self._folder.mkdir(parents=True, exist_ok=True)

    def _require_database(self) -> None:
        if not self.exists:
            raise IndexNotFoundError(f"There is no index in {self._folder}: build one first, with `medqa index FILE`.")

    def _require_writable(self) -> None:
        if self.is_read_only:
            raise StorageError(f"The index in {self._folder} cannot be written: make its folder writable.")

    def _sign(self) -> None:
        """Notify other processes of a change."""
        with self._raise_storage_errors():
            self._token.write_text(uuid.uuid4().hex, "utf-8")
        self._seen = self._signature()

    def _signature(self) -> _Signature:
        try:
            token = self._token.read_text("utf-8")
        except OSError:
            # No process of this version has written yet.
            token = ""
        try:
            stat = (self._folder / DATABASE_FILE).stat()
        except OSError:
            return token, ()
        # Our own copy of a database does not change by being used.
        changes = (stat.st_mtime_ns, stat.st_size) if self.is_read_only else ()
        return token, (stat.st_dev, stat.st_ino, *changes)

    @contextmanager
    def _raise_storage_errors(self) -> Iterator[None]:
        try:
            yield
        except DamagedVectorFilesError as error:
            raise unusable(str(self._folder), str(error), DamagedVectorsError) from error
        except OSError as error:
            raise unusable(str(self._folder), str(error)) from error


_databases: dict[Path, ChromaDatabase] = {}
_databases_lock = threading.Lock()


def database_in(folder: str) -> ChromaDatabase:
    """Return the database in a folder.

    It is the same object for the whole process.
    """
    absolute = chroma_folder(folder)
    return _database(absolute, str(absolute))


def database_of(collection: chromadb.Collection) -> ChromaDatabase | None:
    """Return the database of an open collection.

    None where it is behind a server or in memory.
    """
    system = getattr(collection._client, "_system", None)
    is_default = (collection.tenant, collection.database) == (DEFAULT_TENANT, DEFAULT_DATABASE)
    if system is None or not system.settings.is_persistent or not is_default:
        return None
    path = str(system.settings.persist_directory)
    return _database(Path(path).resolve(), path)


@contextmanager
def sole_writer(location: str, *, create: bool = False, wait: bool = True) -> Iterator[list[Path]]:
    """Keep other processes from writing for a ``with`` block.

    Files of vectors that are damaged are set aside before: :meth:`PubMedIndex.repair` then makes the vectors again.

    Args:
        location: a folder. For the address of a server nothing is locked.
        create: whether to make a missing folder; without it, nothing is locked where there is no index.
        wait: whether to wait for another process that writes; the log says for which.

    Yields:
        Where the damaged files are now.

    Raises:
        IndexBusyError: another process writes, and ``wait`` is False.
        StorageError: the folder cannot be written.
    """
    database = database_in(location) if is_folder(location) else None
    if database is None or not (create or database.exists):
        yield []
        return
    with database.sole_writer(wait=wait):
        yield database.set_damaged_vectors_aside()


def close_databases() -> None:
    """Close every database that this process has open: stores and indexes on them can no longer be used.

    Chroma keeps some ten open files and five threads for each until the process ends.
    """
    with _databases_lock:
        while _databases:
            _databases.popitem()[1].close()
    release_memory()


def release_memory() -> None:
    """Free the vectors of a database that was reopened.

    Chroma's objects refer to one another.
    """
    gc.collect()


def _database(folder: Path, path: str) -> ChromaDatabase:
    with _databases_lock:
        if folder not in _databases:
            _databases[folder] = ChromaDatabase(folder, path)
        return _databases[folder]
