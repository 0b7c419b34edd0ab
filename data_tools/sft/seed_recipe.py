"""The seed recipe: from a title to its abstract."""

from data_tools.sft.screening import abstract_of
from llama_index_medqa.pubmed.record import PubMedRecord

INSTRUCTION = "Write the abstract of the medical paper that has this title."


def seed_row(record: PubMedRecord) -> dict[str, str]:
    """Return an item in LLaMA-Factory's alpaca form.

    It teaches how abstracts sound, and to write one that nobody wrote: a model is asked for findings that it cannot
    know from a title.
    """
    return {"instruction": INSTRUCTION, "input": record.title, "output": abstract_of(record)}
