"""What a LlamaIndex vector store was seen to do, and what the index does where it does less."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class StoreCapabilities:
    """What a store did when it was tried, before the first chunk was written.

    Attributes:
        store: the name of its class.
        deletes_by_id: that ``delete_nodes`` takes nodes away; else ``delete`` does, by their document.
        replaces: that a node takes the place of one with its id; else it is added beside it.
        gives_nodes: that ``get_nodes`` gives nodes by their ids.
        filters: that ``query`` heeds a filter on equality.
        gives_cosines: that its similarities are cosines.
        keeps_texts: that it says it keeps texts.
    """

    store: str
    deletes_by_id: bool
    replaces: bool
    gives_nodes: bool
    filters: bool
    gives_cosines: bool
    keeps_texts: bool

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StoreCapabilities":
        """Return capabilities that :meth:`as_json` gave."""
        return cls(**data)

    def as_json(self) -> dict[str, Any]:
        """Return all attributes."""
        return asdict(self)

    def report(self) -> str:
        """Describe in lines what the store can do, and what the index does where it cannot."""
        lines = [
            ("deletes nodes by id", self.deletes_by_id, "each chunk is a document of its own there, and is deleted so"),
            ("replaces a node of the same id", self.replaces, "the old one is deleted first"),
            ("gives nodes by id", self.gives_nodes, "its marker is looked for by a query"),
            ("filters by metadata", self.filters, "-"),
            ("gives cosines", self.gives_cosines, "-"),
            ("keeps texts", self.keeps_texts, "-"),
        ]
        told = [f"{self.store}:"]
        for what, can, instead in lines:
            told.append(f"  {what}: {'yes' if can else 'no'}{f' ({instead})' if not can and instead != '-' else ''}")
        told.append(
            "Filters, cosines, texts, counts and pages come from the index's folder, whatever the store can do."
        )
        return "\n".join(told)
