"""Connections to Chroma, and its failures in words that help a user."""

import shutil
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import chromadb
import httpx
from chromadb.api import ClientAPI, ServerAPI
from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.config import Settings, System
from chromadb.errors import ChromaError, NotFoundError
from chromadb.telemetry.product import ProductTelemetryClient

from llama_index_medqa.errors import IndexIdentityError, IndexNotFoundError, InputError, ServerError, StorageError

DATABASE_FILE = "chroma.sqlite3"
# What lies in a folder beside an index on another LlamaIndex store.
SIDE_FILE = "medqa.chunks.sqlite3"
DEFAULT_PORT = 8000
# How the addresses of a Milvus server, of one by TLS, and of a file of Milvus Lite begin.
MILVUS_SCHEMES = ("milvus://", "milvus+tls://", "milvus:")

# The class of a panic in Rust, as pyo3 raises it; it cannot be imported.
_PANIC = "PanicException"
_COSINE: CreateCollectionConfiguration = {"hnsw": {"space": "cosine"}}


def connect(host: str, port: str | int | None, *, ssl: bool, headers: dict[str, str] | None) -> ClientAPI:
    """Connect to the database of a Chroma server.

    Args:
        host: host of the server.
        port: its port.
        ssl: whether to reach it by TLS.
        headers: sent to it.

    Raises:
        ServerError: no Chroma server answers.
    """
    try:
        return chromadb.HttpClient(host=host, port=int(port or DEFAULT_PORT), ssl=ssl, headers=headers)
    except ValueError as error:
        raise ServerError(
            f"No Chroma server answers at {host}:{port or DEFAULT_PORT} ({error}). Start one with `chroma run`."
        ) from error


def opened(path: str) -> Client:
    """Open an embedded database, which other code of this process may share.

    Args:
        path: folder of the database.
    """
    # Chroma declares the type that all its clients have, which cannot be closed.
    return cast(Client, chromadb.PersistentClient(path))


def opened_anew(path: str) -> Client:
    """Open an embedded database again, with empty caches.

    This process may have it open already.

    Args:
        path: folder of the database.
    """
    system = System(Settings(persist_directory=path, is_persistent=True))
    parts: tuple[Any, ...] = (ProductTelemetryClient, ServerAPI)
    for part in parts:
        system.instance(part)
    system.start()
    # Takes the place of the system of that path: whoever opens it later shares this one.
    return Client.from_system(system)


def is_folder(location: str) -> bool:
    """Return whether a location is a folder of this machine, and not the address of an engine.

    Raises:
        InputError: it is an empty text, which would be the current folder.
    """
    if not location.strip():
        raise InputError(
            "The name of the index is empty, as a variable without a value gives it: give a folder or an address; the "
            "current folder is '.'."
        )
    return not (is_chroma_server(location) or location.startswith(MILVUS_SCHEMES))


def chroma_folder(location: str) -> Path:
    """Return the folder of an index in Chroma, absolute; it need not be there yet.

    Raises:
        InputError: the name is empty or that of a file, or the folder belongs to an index on another vector store.
    """
    is_folder(location)
    # Chroma would mistake a relative path after a change of folder.
    folder = Path(location).expanduser().resolve()
    require_no_file(folder)
    if (folder / SIDE_FILE).exists():
        raise InputError(
            f"The folder {folder} belongs to an index on another vector store, which commands cannot open: open it in "
            "Python, with PubMedIndex.open(FOLDER, vector_store=..., embed_model=...)."
        )
    return folder


def require_no_file(folder: Path) -> None:
    """Raise if what is to be the folder of an index, or to hold it, is a file.

    Raises:
        InputError: it is one, which is left as it is.
    """
    for part in (folder, *folder.parents):
        if part.is_file():
            raise InputError(
                f"{part} is a file, and an index is a folder: give the index another name. The file stays as it is."
            )


def is_chroma_server(location: str) -> bool:
    """Return whether a location is the address of a Chroma server."""
    return location.startswith(("http://", "https://"))


def address_arguments(location: str) -> dict[str, Any]:
    """Return the arguments of :class:`PubMedVectorStore` for a location.

    Args:
        location: a folder, or the address of a Chroma server: ``http://HOST:PORT``, with ``/COLLECTION`` where it is
            not the default one.

    Raises:
        InputError: an address has no host, or a port that is no number.
    """
    if not is_chroma_server(location):
        return {"persist_dir": location}
    try:
        address = urllib.parse.urlsplit(location)
        host, port = address.hostname, address.port
    except ValueError as error:
        raise InputError(f"{location!r} is no address ({error}): write http://HOST:PORT.") from error
    if not host:
        raise InputError(f"{location!r} names no host: write http://HOST:PORT.")
    is_secure = address.scheme == "https"
    arguments = {"host": host, "port": port or (443 if is_secure else DEFAULT_PORT), "ssl": is_secure}
    collection = address.path.strip("/")
    return {**arguments, "collection_name": collection} if collection else arguments


def open_collection(client: ClientAPI, name: str, location: str, *, create: bool) -> chromadb.Collection:
    """Open a collection in cosine space.

    Args:
        client: the database.
        name: of the collection.
        location: the database as a user knows it, for messages.
        create: whether to make a missing collection.

    Raises:
        IndexNotFoundError: there is none, and ``create`` is False.
        IndexIdentityError: it measures something else than cosine distance.
    """
    with raise_storage_errors(location):
        if create:
            return client.get_or_create_collection(name, configuration=_COSINE, embedding_function=None)
        try:
            return client.get_collection(name, embedding_function=None)
        except NotFoundError as error:
            raise IndexNotFoundError(
                f"The database at {location} has no collection {name!r}: build it first, with `medqa index FILE`."
            ) from error


def require_cosine(collection: chromadb.Collection) -> None:
    """Raise unless a collection measures cosines.

    Raises:
        IndexIdentityError: it measures something else than cosine distance.
    """
    space = (collection.configuration_json.get("hnsw") or {}).get("space")
    if space != "cosine":
        raise IndexIdentityError(
            f"The collection {collection.name!r} measures {space!r} distance, PubMedVectorStore needs 'cosine': "
            "use another collection name and index again."
        )


@contextmanager
def raise_storage_errors(location: str) -> Iterator[None]:
    """Raise failures of the database in a line that says what to do.

    Args:
        location: the folder or the address of the server, for messages.

    Raises:
        ServerError: the server went away.
        StorageError: the disk is full, or the database is damaged.
    """
    try:
        yield
    except httpx.TransportError as error:
        raise ServerError(
            f"The Chroma server at {location} went away ({error or type(error).__name__}). Start it again with "
            "`chroma run` and repeat the command: what is there already is not written again."
        ) from error
    except ChromaError as error:
        if isinstance(error, NotFoundError):
            raise
        raise unusable(location, str(error)) from error
    except BaseException as error:
        # Where Chroma's own code panics, what it raises is no Exception.
        if type(error).__name__ != _PANIC:
            raise
        raise unusable(location, str(error)) from error


def unusable(location: str, reason: str, kind: type[StorageError] = StorageError) -> StorageError:
    """Return the error of a database that fails.

    Args:
        location: the folder or the address of the server.
        reason: the error text of Chroma or of the system.
        kind: the error's class.
    """
    return kind(
        f"The database at {location} cannot be used ({reason}{_free_space(location)}). If the disk is full, free some "
        "space and repeat the command; if vectors are damaged, `medqa doctor --repair` makes them again from the "
        "stored texts; else import a copy with `medqa import`, or delete it and run `medqa index` again."
    )


def _free_space(location: str) -> str:
    """Describe how much room is left.

    Chroma often hides that a full disk is the reason.
    """
    try:
        return f"; {shutil.disk_usage(location).free / 1e6:,.0f} MB are free there"
    except OSError:
        # An address, or a folder that cannot be looked into.
        return ""
