"""Connections to Chroma, on disk or behind a server, and what their failures mean to a user."""

import shutil
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
DEFAULT_PORT = 8000

# The class of a panic in Rust, as pyo3 raises it; it cannot be imported.
_PANIC = "PanicException"
_COSINE: CreateCollectionConfiguration = {"hnsw": {"space": "cosine"}}


def connect(host: str, port: str | int | None, *, ssl: bool, headers: dict[str, str] | None) -> ClientAPI:
    """Opens the database of a Chroma server.

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


def opened_anew(path: str) -> ClientAPI:
    """Opens an embedded database that this process may have open already, with nothing of what it has in memory.

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


def place_arguments(place: str) -> dict[str, Any]:
    """What :class:`PubMedVectorStore` takes to open a place.

    Args:
        place: a folder, or the address of a Chroma server: ``http://HOST:PORT``, with ``/COLLECTION`` where it is not
            the default one.

    Raises:
        InputError: an address has no host, or a port that is no number.
    """
    if not place.startswith(("http://", "https://")):
        return {"persist_dir": place}
    try:
        address = urllib.parse.urlsplit(place)
        host, port = address.hostname, address.port
    except ValueError as error:
        raise InputError(f"{place!r} is no address ({error}): write http://HOST:PORT.") from error
    if not host:
        raise InputError(f"{place!r} names no host: write http://HOST:PORT.")
    is_secure = address.scheme == "https"
    arguments = {"host": host, "port": port or (443 if is_secure else DEFAULT_PORT), "ssl": is_secure}
    collection = address.path.strip("/")
    return {**arguments, "collection_name": collection} if collection else arguments


def open_collection(client: ClientAPI, name: str, place: str, *, create: bool) -> chromadb.Collection:
    """Opens a collection in cosine space.

    Args:
        client: the database.
        name: of the collection.
        place: the database as a user knows it, for messages.
        create: whether to make a missing collection.

    Raises:
        IndexNotFoundError: there is none, and ``create`` is False.
        IndexIdentityError: it measures something else than cosine distance.
    """
    with failures_told(place):
        if create:
            return client.get_or_create_collection(name, configuration=_COSINE, embedding_function=None)
        try:
            return client.get_collection(name, embedding_function=None)
        except NotFoundError as error:
            raise IndexNotFoundError(
                f"The database at {place} has no collection {name!r}: build it first, with `medqa index FILE`."
            ) from error


def require_cosine(collection: chromadb.Collection) -> None:
    """Looks at what a collection measures.

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
def failures_told(place: str) -> Iterator[None]:
    """Tells of failures of the database in one line that says what to do.

    Args:
        place: the folder or the address of the server, for messages.

    Raises:
        ServerError: the server went away.
        StorageError: the disk is full, or the database is damaged.
    """
    try:
        yield
    except httpx.TransportError as error:
        raise ServerError(
            f"The Chroma server at {place} went away ({error or type(error).__name__}). Start it again with "
            "`chroma run` and repeat the command: what is there already is not written again."
        ) from error
    except ChromaError as error:
        if isinstance(error, NotFoundError):
            raise
        raise unusable(place, str(error)) from error
    except BaseException as error:
        # Where Chroma's own code panics, what it raises is no Exception.
        if type(error).__name__ != _PANIC:
            raise
        raise unusable(place, str(error)) from error


def unusable(place: str, reason: str) -> StorageError:
    """The error of a database that fails.

    Args:
        place: the folder or the address of the server.
        reason: what Chroma, or the system, says of it.
    """
    return StorageError(
        f"The database at {place} cannot be used ({reason}{_free_space(place)}). If the disk is full, free some space "
        "and repeat the command; if vectors are damaged, `medqa doctor --repair` makes them again from the stored "
        "texts; else import a copy with `medqa import`, or delete it and run `medqa index` again."
    )


def _free_space(place: str) -> str:
    """How much room is left; Chroma often hides that a full disk is the reason."""
    try:
        return f"; {shutil.disk_usage(place).free / 1e6:,.0f} MB are free there"
    except OSError:
        # An address, or a folder that cannot be looked into.
        return ""
