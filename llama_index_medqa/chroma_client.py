"""Connections to Chroma, on disk or behind a server, and what their failures mean to a user."""

import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.errors import ChromaError, NotFoundError

from llama_index_medqa.errors import IndexIdentityError, IndexNotFoundError, InputError, ServerError, StorageError

DATABASE_FILE = "chroma.sqlite3"
DEFAULT_PORT = 8000

_COSINE: CreateCollectionConfiguration = {"hnsw": {"space": "cosine"}}
_DISK_FULL = ("disk is full", "no space left", "file too large", "disk i/o error", "quota exceeded")


def connect(
    persist_dir: str | None,
    host: str | None,
    port: str | int | None,
    *,
    ssl: bool,
    headers: dict[str, str] | None,
    create: bool,
) -> ClientAPI:
    """Opens a database.

    Args:
        persist_dir: folder of an embedded database.
        host: host of a Chroma server, in place of ``persist_dir``.
        port: port of that server.
        ssl: whether to reach that server by TLS.
        headers: sent to that server.
        create: whether to make a missing embedded database.

    Raises:
        InputError: neither ``persist_dir`` nor ``host`` is given.
        IndexNotFoundError: there is no database, and ``create`` is False.
        StorageError: the database is damaged.
        ServerError: no Chroma server answers.
    """
    if persist_dir is not None:
        if not create and not (Path(persist_dir).expanduser() / DATABASE_FILE).is_file():
            raise IndexNotFoundError(f"There is no index in {persist_dir}: build one first, with `medqa index FILE`.")
        # Chroma keeps one client a path and process, and would mistake a relative path after a change of folder.
        with failures_told(persist_dir):
            return chromadb.PersistentClient(path=Path(persist_dir).expanduser().resolve())
    if host is None:
        raise InputError("PubMedVectorStore needs a place: give persist_dir=FOLDER, or host= and port= of a server.")
    try:
        return chromadb.HttpClient(host=host, port=int(port or DEFAULT_PORT), ssl=ssl, headers=headers)
    except ValueError as error:
        raise ServerError(
            f"No Chroma server answers at {host}:{port or DEFAULT_PORT} ({error}). Start one with `chroma run`."
        ) from error


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
        reason = str(error)
        if any(sign in reason.lower() for sign in _DISK_FULL):
            raise StorageError(
                f"The database in {place} cannot be written ({reason}): the disk is full. Free some space and repeat "
                "the command: what is there already is not written again."
            ) from error
        raise StorageError(
            f"The database in {place} cannot be used ({reason}). If it is damaged, import a copy with `medqa import`, "
            "or delete it and run `medqa index` again."
        ) from error
