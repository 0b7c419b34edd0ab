"""Retrieved records with prompt injection; they are neither shown nor cited.

What a paper says is data: a claim stays a claim of that paper, however wrong it is, and cannot be told from a finding.
A sentence that gives orders to whoever answers is no finding of a study, and a record that holds one was tampered with,
so that nothing else in it can be trusted either. What a model never sees it cannot obey. A sentence that only may be an
order is kept from supporting anything, and its record is used.
"""

from collections.abc import Sequence

from llama_index_medqa.text.injection.detector import gives_orders
from llama_index_medqa.verification.passages import Passage


def records_that_give_orders(passages: Sequence[Passage]) -> list[str]:
    """Return the ids of records with prompt injection.

    In their title or anywhere else.
    """
    return list(dict.fromkeys(passage.document_id for passage in passages if _gives_orders(passage)))


def _gives_orders(passage: Passage) -> bool:
    # Of the whole stretch too: an order may be cut into lines that are sentences of their own.
    return (
        gives_orders(passage.title)
        or gives_orders(passage.text)
        or any(gives_orders(sentence.text) for sentence in passage.sentences)
    )
