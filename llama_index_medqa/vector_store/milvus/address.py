"""Addresses of Milvus: a server, or a file of Milvus Lite."""

import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.client import MILVUS_SCHEMES

DEFAULT_COLLECTION = "pubmed"
_DEFAULT_PORT = 19530
_SERVER, _SECURE_SERVER, _FILE = MILVUS_SCHEMES
# What Milvus takes as a name; the longest one has 255 characters, and ours gets a suffix.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
# By this ending pymilvus tells a file of Milvus Lite from an address.
_ENDING = ".db"


@dataclass(frozen=True)
class MilvusAddress:
    """A collection of a database.

    Attributes:
        location: as the user gave it.
        uri: of the database, as pymilvus takes it.
        collection: name of the collection.
        file: the database of Milvus Lite, which is a folder; None for a server.
    """

    location: str
    uri: str
    collection: str
    file: Path | None = None


def parse_address(location: str) -> MilvusAddress:
    """Parse ``milvus://HOST:PORT[/COLLECTION]``, ``milvus+tls://...`` or ``milvus:PATH.db[#COLLECTION]``.

    Raises:
        InputError: it is none of them.
    """
    if location.startswith((_SERVER, _SECURE_SERVER)):
        return _of_server(location)
    path, _, collection = location.removeprefix(_FILE).partition("#")
    if not location.startswith(_FILE) or not path.endswith(_ENDING):
        raise InputError(
            f"{location!r} is no address of Milvus: write milvus://HOST:PORT for a server, or "
            f"milvus:FOLDER/NAME{_ENDING} for Milvus Lite in this process."
        )
    file = Path(path).expanduser().absolute()
    return MilvusAddress(location, str(file), _checked(collection or DEFAULT_COLLECTION, location), file)


def _of_server(location: str) -> MilvusAddress:
    try:
        address = urllib.parse.urlsplit(location)
        host, port = address.hostname, address.port or _DEFAULT_PORT
    except ValueError as error:
        raise InputError(f"{location!r} is no address ({error}): write milvus://HOST:PORT.") from error
    if not host:
        raise InputError(f"{location!r} names no host: write milvus://HOST:PORT.")
    if address.username or address.password:
        # Locations are shown and logged.
        raise InputError(
            "Give the user and password of Milvus in MEDQA_MILVUS_TOKEN, as USER:PASSWORD, not in the address."
        )
    scheme = "https" if location.startswith(_SECURE_SERVER) else "http"
    host = f"[{host}]" if ":" in host else host
    collection = _checked(address.path.strip("/") or DEFAULT_COLLECTION, location)
    return MilvusAddress(location, f"{scheme}://{host}:{port}", collection)


def _checked(collection: str, location: str) -> str:
    if not _NAME.fullmatch(collection):
        raise InputError(
            f"{location!r} names the collection {collection!r}, which Milvus does not take: use letters, digits and "
            "underscores, 200 at most."
        )
    return collection
