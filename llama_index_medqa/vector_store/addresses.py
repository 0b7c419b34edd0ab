"""Where an index lies: a folder, or the address of an engine."""

from os import PathLike, fspath
from typing import Any

from llama_index.core.vector_stores.types import BasePydanticVectorStore

from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.client import address_arguments, is_chroma_server, is_folder
from llama_index_medqa.vector_store.store import PubMedVectorStore


def open_store(
    location: str | PathLike[str] | None,
    *,
    create: bool = True,
    vector_store: BasePydanticVectorStore | None = None,
    **arguments: Any,
) -> ChunkStore:
    """Open the collection at a location.

    Args:
        location: one of

            - a folder: Chroma, in this process;
            - ``http://HOST:PORT[/COLLECTION]``: a Chroma server, ``https://`` for one by TLS;
            - ``milvus://HOST:PORT[/COLLECTION]``: a Milvus server or cluster, ``milvus+tls://`` for one by TLS;
            - ``milvus:PATH.db[#COLLECTION]``: Milvus Lite, in this process;
            - None: where the arguments say, as :class:`PubMedVectorStore` takes them.
        create: whether to create a missing database or collection.
        vector_store: any LlamaIndex vector store that holds the vectors; the location is then a folder, which keeps
            what such a store cannot tell.
        arguments: further arguments of the store.

    Raises:
        InputError: an address cannot be understood, or the vector store cannot hold an index.
        IndexNotFoundError: there is no collection, and ``create`` is False.
        MissingExtraError: the engine's client is not installed.
        ServerError: no such server answers.
    """
    if vector_store is not None:
        from llama_index_medqa.vector_store.generic.store import GenericStore

        return GenericStore(fspath(location or ""), vector_store, create=create, **arguments)
    if location is None:
        return PubMedVectorStore(create=create, **arguments)
    location = fspath(location)
    if is_folder(location) or is_chroma_server(location):
        return PubMedVectorStore(**address_arguments(location), create=create, **arguments)
    from llama_index_medqa.vector_store.milvus.store import MilvusStore

    return MilvusStore(location, create=create, **arguments)
