"""What an index was built with and as of which day: carried by the Chroma collection, compared on opening."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.embedding import TransformerEmbedding
from llama_index_medqa.errors import IndexIdentityError
from llama_index_medqa.node_parser import TokenNodeParser
from llama_index_medqa.vector_store import PubMedVectorStore

# 1: LlamaIndex's rows, each node whole beside its metadata. 2: each fact once; see stored_rows.
SCHEMA_VERSION = 2

# Keys of the collection's metadata that are ours; a collection may carry others.
_IDENTITY_PREFIX = "medqa_"
_AS_OF_KEY = "pubmed_as_of"


def identity_of(embed_model: BaseEmbedding, parser: TokenNodeParser) -> dict[str, str | int]:
    """What decides the vectors and the chunks: embedder, splitter and schema."""
    if isinstance(embed_model, TransformerEmbedding):
        embedder = embed_model.identity()
    else:
        name = f"{embed_model.class_name()}:{embed_model.model_name}"
        dimension = len(embed_model.get_query_embedding("dimension"))
        embedder = {"embedder": name, "weights": name, "dimension": dimension}
    return {"schema_version": SCHEMA_VERSION, **embedder, **parser.identity()}


def stored_identity(store: PubMedVectorStore) -> dict[str, str | int]:
    """The identity that a collection carries; empty for a new one.

    Raises:
        IndexIdentityError: it holds chunks and carries no identity.
    """
    metadata = _metadata(store)
    stored = {
        key.removeprefix(_IDENTITY_PREFIX): value for key, value in metadata.items() if key.startswith(_IDENTITY_PREFIX)
    }
    if not stored and store.count():
        raise IndexIdentityError(
            f"The collection {store.collection_name!r} was not built by llama-index-medqa: nothing says with which "
            "embedder. Use another folder or collection name."
        )
    return stored


def require_same(stored: Mapping[str, str | int], given: Mapping[str, str | int], store: PubMedVectorStore) -> None:
    """Compares the identity of an index with the one that it is opened with.

    Raises:
        IndexIdentityError: they differ; the message names both values.
    """
    schema = stored.get("schema_version"), given.get("schema_version")
    if schema[0] != schema[1]:
        raise IndexIdentityError(schema_message(schema[0], schema[1], store))
    # The embedder's name is for people; the hash of its weights decides.
    different = [key for key in {**stored, **given} if key != "embedder" and stored.get(key) != given.get(key)]
    if not different:
        return
    details = "; ".join(f"{key} {stored.get(key)!r} in the index, {given.get(key)!r} given" for key in different)
    raise IndexIdentityError(
        f"The index in {store.place} was built with {stored.get('embedder')!r} and is opened with "
        f"{given.get('embedder')!r}, and they differ: {details}. Open it with what it was built with, or build a new "
        "index in another folder."
    )


def schema_message(stored: Any, given: Any, store: PubMedVectorStore) -> str:
    """One line on an index of another schema than the one that is needed."""
    found = f"The index in {store.place} has schema version {stored}, this version of llama-index-medqa needs {given}"
    if isinstance(stored, int) and stored < given:
        return f"{found}: bring it up to date with `medqa migrate --index {store.place}`."
    return f"{found}: it was written by a later version; upgrade with `pip install -U llama-index-medqa`."


def write_identity(store: PubMedVectorStore, identity: Mapping[str, str | int]) -> None:
    """Lets the collection carry an identity."""
    _modify(store, {_IDENTITY_PREFIX + key: value for key, value in identity.items()})


def stored_as_of(store: PubMedVectorStore) -> date | None:
    """The day whose state of PubMed the index holds at least; None where no source told."""
    value = _metadata(store).get(_AS_OF_KEY)
    return date.fromisoformat(str(value)) if value else None


def write_as_of(store: PubMedVectorStore, as_of: date) -> None:
    """Lets the collection carry that day."""
    _modify(store, {_AS_OF_KEY: as_of.isoformat()})


def _modify(store: PubMedVectorStore, changes: Mapping[str, str | int]) -> None:
    # Chroma replaces the metadata as a whole, so that of another process must not be lost.
    known = _metadata(store)
    if any(known.get(key) != value for key, value in changes.items()):
        store.set_collection_metadata({**known, **changes})


def _metadata(store: PubMedVectorStore) -> Mapping[str, Any]:
    return store.collection_metadata()
