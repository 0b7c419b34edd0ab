"""Rows as entities of Milvus: what has a column of its own, and what lies in the JSON column."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.port import StoredRow
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY, rounded

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

METADATA = "metadata"
# Searches look at the status and often at the year, every ingestion at the hash, a deletion at the document.
COLUMNS: Mapping[str, type] = {DOCUMENT_KEY: str, "record_hash": str, "status": str, "year": int}

_ID_BYTES = 1_024
_COLUMN_BYTES = 1_024
# Milvus's limit for a text.
_TEXT_BYTES = 65_535
_HNSW = {"M": 16, "efConstruction": 200}


def rows_schema(client: "MilvusClient", dimension: int) -> "CollectionSchema":
    """Return the schema of the collection of rows.

    Args:
        client: of the database.
        dimension: of the vectors.
    """
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_ID_BYTES)
    for name, kind in COLUMNS.items():
        if kind is int:
            schema.add_field(name, DataType.INT64, nullable=True)
        else:
            schema.add_field(name, DataType.VARCHAR, max_length=_COLUMN_BYTES, nullable=True)
    schema.add_field(METADATA, DataType.JSON)
    schema.add_field("text", DataType.VARCHAR, max_length=_TEXT_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def rows_indexes(client: "MilvusClient") -> "IndexParams":
    """Return the indexes of the collection of rows: of the vectors, in cosine space, and of the columns."""
    indexes = client.prepare_index_params()
    indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=_HNSW)
    for name in COLUMNS:
        indexes.add_index(name, index_type="INVERTED")
    return indexes


def to_entity(row: StoredRow) -> dict[str, Any]:
    """Convert a row to an entity.

    Raises:
        InputError: it holds what Milvus cannot store.
    """
    assert row.vector is not None  # noqa: S101  # rows are written with their vectors
    rest = dict(row.metadata)
    columns = {name: rest.pop(name, None) for name in COLUMNS}
    for name, value in columns.items():
        if value is not None and type(value) is not COLUMNS[name]:
            wanted = "a whole number" if COLUMNS[name] is int else "a text"
            raise InputError(f"The field {name!r} of {row.node_id} must be {wanted} in Milvus, not {value!r}.")
    if len(row.text.encode()) > _TEXT_BYTES:
        raise InputError(f"The text of {row.node_id} is longer than Milvus stores ({_TEXT_BYTES} bytes): split it.")
    vector = np.asarray(row.vector, np.float32)
    return {"id": row.node_id, **columns, METADATA: rest, "text": row.text, "vector": vector}


def to_stored_row(entity: Mapping[str, Any]) -> StoredRow:
    """Convert an entity back, or as much of it as was asked for."""
    columns = {name: entity[name] for name in COLUMNS if entity.get(name) is not None}
    vector = rounded(entity["vector"]) if entity.get("vector") is not None else None
    metadata = {**(entity.get(METADATA) or {}), **columns}
    return StoredRow(str(entity["id"]), str(entity.get("text") or ""), metadata, vector)


def output_fields(*, text: bool, metadata: bool, vector: bool) -> Sequence[str]:
    """Return the names of the fields to read, beside the id."""
    return [
        "id",
        *(["text"] if text else []),
        *([METADATA, *COLUMNS] if metadata else []),
        *(["vector"] if vector else []),
    ]
