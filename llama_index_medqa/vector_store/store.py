"""A Chroma vector store for PubMed records."""

from typing import Any

import chromadb
from llama_index.core.bridge.pydantic import Field

from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.client import (
    DEFAULT_PORT,
    address_arguments,
    connect,
    open_collection,
    require_cosine,
)
from llama_index_medqa.vector_store.collection import StoredCollection
from llama_index_medqa.vector_store.database import ChromaDatabase, database_in, database_of
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY

DEFAULT_COLLECTION = "pubmed"


class PubMedVectorStore(StoredCollection):
    """A Chroma collection in cosine space, on disk or on a server.

    Beside LlamaIndex's ``ChromaVectorStore``: a second write of a node replaces the first, whole, instead of being
    dropped; nodes go in batches that the database accepts, and are stored once instead of twice; metadata may hold
    anything that JSON can; all filter operators and conditions work
    (:mod:`llama_index_medqa.vector_store.filters`); similarities are true cosines in [-1, 1].

    Args:
        chroma_collection: an open collection; if given, the arguments below are only remembered.
        collection_name: name of the collection, which is created where it is missing.
        persist_dir: folder of an embedded database.
        host: host of a Chroma server, in place of ``persist_dir``.
        port: port of that server.
        ssl: whether to reach that server by TLS.
        headers: sent to that server, for authentication; never saved by ``to_dict``.
        create: whether to create a missing database or collection.
        check_filter_fields: whether a filter on a field that no record has is an error.

    Raises:
        InputError: neither ``chroma_collection`` nor ``persist_dir`` nor ``host`` is given.
        IndexNotFoundError: with ``create=False``, when there is no such database or collection.
        IndexIdentityError: the collection measures something else than cosine distance.
        ServerError: no Chroma server answers at ``host`` and ``port``; so may every method.
        StorageError: the database is damaged; so may every method, also when the disk is full.
    """

    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)

    def __init__(
        self,
        chroma_collection: chromadb.Collection | None = None,
        collection_name: str = DEFAULT_COLLECTION,
        *,
        persist_dir: str | None = None,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        create: bool = True,
        check_filter_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        location = _location(persist_dir, host, port, ssl=ssl)
        database: ChromaDatabase | None = None
        if chroma_collection is not None:
            database = database_of(chroma_collection)
        elif persist_dir is not None:
            database = database_in(persist_dir)
            chroma_collection = database.collection(collection_name, create=create)
        elif host is not None:
            client = connect(host, port, ssl=ssl, headers=headers)
            chroma_collection = open_collection(client, collection_name, location, create=create)
        else:
            raise InputError("PubMedVectorStore needs an address: give persist_dir=FOLDER, or host= and port=.")
        require_cosine(chroma_collection)
        super().__init__(
            chroma_collection,
            location,
            database,
            collection_name=chroma_collection.name,
            host=host,
            port=port,
            ssl=ssl,
            headers=headers,
            persist_dir=persist_dir,
            **kwargs,
        )
        self.check_filter_fields = check_filter_fields

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves it."""
        return "PubMedVectorStore"

    @classmethod
    def at(cls, location: str, *, create: bool = True) -> "PubMedVectorStore":
        """Open the collection in a folder or at an address.

        Args:
            location: a folder, or the address of a Chroma server, ``http://HOST:PORT`` or ``http://HOST:PORT/COLLECTION``.
            create: whether to create a missing database or collection.

        Raises:
            InputError: an address cannot be understood.
        """
        return cls(**address_arguments(location), create=create)

    @classmethod
    def from_params(
        cls,
        collection_name: str = DEFAULT_COLLECTION,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> "PubMedVectorStore":
        """Open a collection, as the constructor does. LlamaIndex users expect this name."""
        return cls(
            collection_name=collection_name, host=host, port=port, ssl=ssl, headers=headers, persist_dir=persist_dir,
            collection_kwargs=collection_kwargs, **kwargs,
        )  # fmt: skip

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete all nodes of a document."""
        with self.writing():
            self._collection.delete(where={DOCUMENT_KEY: ref_doc_id})


def _location(persist_dir: str | None, host: str | None, port: str | int | None, *, ssl: bool) -> str:
    address = f"{'https' if ssl else 'http'}://{host}:{port or DEFAULT_PORT}"
    return persist_dir or (address if host else "the given collection")
