"""What an index was built with and as of which day: carried by the Chroma collection, compared on opening."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.embeddings.embedding import TransformerEmbedding
from llama_index_medqa.errors import IndexIdentityError, InputError
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.vector_store.store import PubMedVectorStore

# 1: LlamaIndex's rows, each node whole beside its metadata. 2: each fact once; see row_codec.
SCHEMA_VERSION = 2

# Keys of the collection's metadata that are ours; a collection may carry others.
_IDENTITY_PREFIX = "medqa_"
# Where the day of an index lay before every source had a row for its own.
_AS_OF_KEY = "pubmed_as_of"
_IMPORT_KEY = "pubmed_import"


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
        IndexIdentityError: it holds chunks and carries no identity, or an import into it is unfinished.
    """
    metadata = _metadata(store)
    if _IMPORT_KEY in metadata:
        raise IndexIdentityError(
            f"The index in {store.place} is an import that was interrupted: repeat `medqa import` with the same file."
        )
    stored = {
        key.removeprefix(_IDENTITY_PREFIX): value for key, value in metadata.items() if key.startswith(_IDENTITY_PREFIX)
    }
    if not stored and store.count():
        raise IndexIdentityError(
            f"The collection {store.collection_name!r} was not built by llama-index-medqa: nothing says with which "
            "embedder. Use another folder or collection name. Or, if an IngestionPipeline with a TokenNodeParser "
            f"filled it, open it once by PubMedIndex.open({store.place!r}, embed_model=...), which looks and notes it."
        )
    return stored


def carries_no_identity(store: PubMedVectorStore) -> bool:
    """Whether a collection holds chunks, and does not say what they were made with."""
    metadata = _metadata(store)
    named = any(key.startswith(_IDENTITY_PREFIX) or key == _IMPORT_KEY for key in metadata)
    return not named and store.count() > 0


def require_same(stored: Mapping[str, str | int], given: Mapping[str, str | int], store: PubMedVectorStore) -> None:
    """Compares the identity of an index with the one that it is opened with.

    Raises:
        IndexIdentityError: they differ; the message names both values.
    """
    require_current_schema(stored, store)
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


def require_current_schema(stored: Mapping[str, str | int], store: PubMedVectorStore) -> None:
    """Compares the schema of an index with that of this version.

    Raises:
        IndexIdentityError: it is another.
    """
    version = stored.get("schema_version")
    if version == SCHEMA_VERSION:
        return
    advice = "it was written by a later version; upgrade with `pip install -U llama-index-medqa`"
    if isinstance(version, int) and version < SCHEMA_VERSION:
        advice = f"bring it up to date with `medqa migrate --index {store.place}`"
    raise IndexIdentityError(
        f"The index in {store.place} has schema version {version}, this version of llama-index-medqa needs "
        f"{SCHEMA_VERSION}: {advice}."
    )


def write_identity(store: PubMedVectorStore, identity: Mapping[str, str | int]) -> None:
    """Lets the collection carry an identity."""
    known, given = _metadata(store), _prefixed(identity)
    # Chroma replaces the metadata as a whole. Nothing else is written there that another process could lose by it.
    if any(known.get(key) != value for key, value in given.items()):
        store.set_collection_metadata({**known, **given})


def stored_as_of(store: PubMedVectorStore) -> date | None:
    """The day whose state of PubMed the index holds at least; None where no source told."""
    days = store.source_days().values()
    value = min(days) if days else _metadata(store).get(_AS_OF_KEY)
    return date.fromisoformat(str(value)) if value else None


def write_as_of(store: PubMedVectorStore, as_of: date, *, replacing: Collection[str] | None = None) -> None:
    """Notes the day of a source; the earliest of all counts.

    Args:
        store: the collection.
        as_of: the day.
        replacing: ids of the :meth:`~StoredCollection.source_days` that the source makes good, read before it was
            asked: what another writer notes meanwhile is not among them. None takes all that are there now.
    """
    store.note_source_day(as_of.isoformat(), store.source_days() if replacing is None else replacing)


def begin_import(store: PubMedVectorStore, digest: str) -> None:
    """Marks a collection as one that an archive is being read into.

    Args:
        store: the collection, empty or marked before.
        digest: stands for the archive.

    Raises:
        InputError: the collection holds something else.
    """
    metadata = _metadata(store)
    if store.count() and metadata.get(_IMPORT_KEY) != digest:
        raise InputError(
            f"The index in {store.place} is not empty ({store.count()} chunks): import into another folder or server."
        )
    store.set_collection_metadata({_IMPORT_KEY: digest})


def finish_import(store: PubMedVectorStore, identity: Mapping[str, str | int], as_of: date | None) -> None:
    """Makes a collection that was read from an archive the index that it is."""
    if as_of:
        write_as_of(store, as_of)
    store.set_collection_metadata(_prefixed(identity))


def _prefixed(identity: Mapping[str, str | int]) -> dict[str, str | int]:
    return {_IDENTITY_PREFIX + key: value for key, value in identity.items()}


def _metadata(store: PubMedVectorStore) -> Mapping[str, Any]:
    return store.collection_metadata()
