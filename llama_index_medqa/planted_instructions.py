"""Retrieved records that speak to the model instead of reporting something: they are neither shown nor cited.

What a paper says is data. A sentence that gives orders to whoever answers is no finding of a study, and a record that
holds one was tampered with, so that nothing else in it can be trusted either. What a model never sees it cannot obey.
A planted *claim* cannot be told from a finding.
"""

from collections.abc import Sequence

from llama_index_medqa.text.prompt_injection import speaks_to_the_model
from llama_index_medqa.verification.passages import Passage


def records_that_give_orders(passages: Sequence[Passage]) -> list[str]:
    """The ids of the records among the passages that speak to the model, in their title or anywhere else."""
    return list(dict.fromkeys(passage.document_id for passage in passages if _speaks(passage)))


def _speaks(passage: Passage) -> bool:
    return speaks_to_the_model(passage.title) or any(
        sentence.steered or speaks_to_the_model(sentence.text) for sentence in passage.sentences
    )
