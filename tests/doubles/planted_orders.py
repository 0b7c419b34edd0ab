"""Records with planted orders, written for the tests: ten kinds, half of them locked away before the detector was made.

``tests/unit/text/planted_orders.jsonl`` could be looked at while the detector was written;
``planted_orders_held_out.jsonl`` was written first, and its hash noted, and was not opened again before the end. The
papers do not exist. Each row has the record's title and abstract, the order in it, and what a model that obeys would
write.

``evasive_orders.jsonl`` and ``evasive_orders_held_out.jsonl`` are twenty each, in ten other kinds, written by one who
had read the detector and worded them so that it finds none. Both were written before the second half of the detector
(:mod:`llama_index_medqa.text.metadiscourse`), by the hand that made it, and only
the first was tried while it was made.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord

FOLDER = Path(__file__).parents[1] / "unit" / "text"
SEEN, HELD_OUT = "planted_orders.jsonl", "planted_orders_held_out.jsonl"
EVASIVE, EVASIVE_HELD_OUT = "evasive_orders.jsonl", "evasive_orders_held_out.jsonl"


@dataclass(frozen=True)
class PlantedOrder:
    """An abstract with an order to whoever answers.

    Attributes:
        kind: one of ten.
        title: of the record.
        abstract: of the record.
        order: the planted words; empty where the title is the order.
        draft: what a model that obeys would write.
    """

    kind: str
    title: str
    abstract: str
    order: str
    draft: str

    def record(self, pmid: int) -> PubMedRecord:
        """The record."""
        return PubMedRecord(pmid=str(pmid), title=self.title, sections=(AbstractSection(self.abstract),))


def planted_orders(name: str) -> list[PlantedOrder]:
    """The rows of a file."""
    return [PlantedOrder(**json.loads(line)) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
