"""Connections to Milvus, and its failures in words that help a user."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from llama_index_medqa.errors import (
    IndexBusyError,
    IndexNotFoundError,
    MissingExtraError,
    ServerError,
    StorageError,
)
from llama_index_medqa.redaction import keep_secret
from llama_index_medqa.vector_store.milvus.address import MilvusAddress

if TYPE_CHECKING:
    from pymilvus import MilvusClient

TOKEN_VARIABLE = "MEDQA_MILVUS_TOKEN"  # noqa: S105  # its name

# The lock file of Milvus Lite in its folder, which it holds for as long as the database is open.
_LOCK_NAME = "LOCK"
_CONNECT_TIMEOUT_S = 10.0

_clients: dict[str, "MilvusClient"] = {}
_clients_lock = threading.Lock()


def connect(address: MilvusAddress, *, create: bool) -> "MilvusClient":
    """Return the client of a database, the same one for the whole process.

    The user and password, or the key, of a server are read from the environment variable MEDQA_MILVUS_TOKEN.

    Args:
        address: where the database is.
        create: whether to make a missing file of Milvus Lite.

    Raises:
        MissingExtraError: pymilvus or Milvus Lite is not installed.
        IndexNotFoundError: there is no such file, and ``create`` is False.
        IndexBusyError: another process has the file open.
        ServerError: no server answers.
    """
    if find_spec("pymilvus") is None or (address.file is not None and find_spec("milvus_lite") is None):
        raise MissingExtraError(f"An index at {address.location}", "milvus")
    with _clients_lock:
        if address.uri not in _clients:
            if address.file is not None:
                _require_file(address.file, address.location, create=create)
            _clients[address.uri] = _connected(address)
        return _clients[address.uri]


def close_clients() -> None:
    """Close every database of Milvus that this process has open: stores on them can no longer be used."""
    with _clients_lock:
        for uri, client in _clients.items():
            client.close()
            if uri.endswith(".db"):
                from milvus_lite.server_manager import server_manager_instance

                server_manager_instance.release_server(uri)
        _clients.clear()


@contextmanager
def raise_engine_errors(location: str) -> Iterator[None]:
    """Raise failures of the database in a line that says what to do.

    Args:
        location: the address, for messages.

    Raises:
        ServerError: the server went away.
        StorageError: the database refuses, or is damaged.
    """
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except grpc.RpcError as error:
        raise _gone(location, str(error)) from error
    except MilvusException as error:
        reason = " ".join(str(error.message).split())
        if isinstance(error.__cause__, grpc.RpcError) or "unavailable" in reason.lower():
            raise _gone(location, reason) from error
        raise StorageError(
            f"The database at {location} refuses ({reason}). If its disk is full, free some space and repeat the "
            "command; if it is damaged, import a copy with `medqa import` into another one."
        ) from error


def _require_file(file: Path, location: str, *, create: bool) -> None:
    if not create and not file.is_dir():
        raise IndexNotFoundError(f"There is no index at {location}: build one first, with `medqa index FILE`.")
    try:
        file.mkdir(parents=True, exist_ok=True)
        # Milvus Lite itself would print a traceback and say nothing of the reason.
        lock = FileLock(file / _LOCK_NAME, timeout=0)
        lock.acquire()
        lock.release()
    except Timeout as error:
        raise IndexBusyError(
            f"The index at {location} is open in another process, and Milvus Lite lets in one: wait until that is "
            f"done, or serve it to several with `milvus-lite server --data-dir {file} --host 127.0.0.1 --port 19530` "
            "and give --index milvus://127.0.0.1:19530."
        ) from error
    except OSError as error:
        raise StorageError(
            f"The index at {location} cannot be used ({error}): give a path that you can write to."
        ) from error


def _connected(address: MilvusAddress) -> "MilvusClient":
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    # It prints a traceback for every error that it raises as well, and here each is raised in words of ours.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    token = "" if address.file else os.environ.get(TOKEN_VARIABLE, "")
    keep_secret(token, token.partition(":")[2])
    try:
        return MilvusClient(address.uri, token=token, timeout=_CONNECT_TIMEOUT_S)
    except MilvusException as error:
        reason = " ".join(str(error.message).split())
        if address.file is not None:
            raise StorageError(
                f"The database at {address.location} cannot be opened ({reason}): import a copy with `medqa import` "
                "into another one."
            ) from error
        raise ServerError(
            f"No Milvus server answers at {address.location} ({reason}). Start it, or give its user and password in "
            f"{TOKEN_VARIABLE} as USER:PASSWORD."
        ) from error


def _gone(location: str, reason: str) -> ServerError:
    return ServerError(
        f"The Milvus server at {location} went away ({reason}). Start it again and repeat the command: what is there "
        "already is not written again."
    )
