"""The state record in Milvus: a small collection beside that of the rows."""

import uuid
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from llama_index_medqa.vector_store.generation import StateRow
from llama_index_medqa.vector_store.milvus.conditions import id_in, literal

if TYPE_CHECKING:
    from pymilvus import MilvusClient

STATE_SUFFIX = "_state"

_IDENTITY = "identity"
_MOST_ROWS = 16_384
# Milvus keeps nothing without a vector.
_NO_VECTOR = [1.0, 0.0]


class StateCollection:
    """The table of :class:`CollectionState`, and the identity of the index.

    Args:
        client: of the database.
        collection: name of the collection whose state it is.
    """

    def __init__(self, client: "MilvusClient", collection: str) -> None:
        self._client = client
        self._name = f"{collection}{STATE_SUFFIX}"
        self._collection_id = ""

    @property
    def exists(self) -> bool:
        """Return whether there is such a table, and so an index."""
        return bool(self._client.has_collection(self._name))

    @property
    def collection_id(self) -> str:
        """Return what tells the index from another of its name: a random text that it got when it was made."""
        if not self._collection_id:
            self._collection_id = str(self._identity()["id"])
        return self._collection_id

    def open(self) -> None:
        """Make the table if it is missing, and let it be read."""
        if not self.exists:
            self._create()
        self._client.load_collection(self._name)
        if not self.rows(_IDENTITY):
            self.put({_IDENTITY: {"kind": _IDENTITY, "id": uuid.uuid4().hex, "metadata": {}}})

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the collection."""
        return dict(self._identity()["metadata"])

    def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the collection."""
        self.put({_IDENTITY: {**self._identity(), "metadata": dict(metadata)}})

    def rows(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the rows of a kind, by id."""
        found = self._client.query(
            self._name, filter=f"kind == {literal(kind)}", output_fields=["id", "value"], limit=_MOST_ROWS
        )
        return {str(entity["id"]): entity["value"] for entity in found}

    def put(self, rows: Mapping[str, StateRow]) -> None:
        """Write rows by id, and replace equal ones."""
        self._client.upsert(
            self._name,
            [
                {
                    "id": name,
                    "kind": row["kind"],
                    "time": float(row.get("time", 0.0)),
                    "value": row,
                    "vector": _NO_VECTOR,
                }
                for name, row in rows.items()
            ],
        )

    def remove(self, ids: Collection[str]) -> None:
        """Delete rows by id; unknown ids are ignored."""
        self._client.delete(self._name, filter=id_in(list(ids)))

    def remove_marks_before(self, moment: float) -> None:
        """Delete the rows of writers whose ``time`` is earlier."""
        self._client.delete(self._name, filter=f'kind == "writer" and time < {moment!r}')

    def _identity(self) -> Mapping[str, Any]:
        return self.rows(_IDENTITY)[_IDENTITY]

    def _create(self) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=1_024)
        schema.add_field("kind", DataType.VARCHAR, max_length=32)
        schema.add_field("time", DataType.DOUBLE)
        schema.add_field("value", DataType.JSON)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=len(_NO_VECTOR))
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", index_type="FLAT", metric_type="COSINE")
        self._client.create_collection(self._name, schema=schema, index_params=indexes, consistency_level="Strong")
