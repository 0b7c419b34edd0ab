"""How much is shown of what was retrieved, and what may be cited."""

import pytest

from llama_index_medqa.answering.answerability import AnswerabilityGate
from llama_index_medqa.answering.context import ContextBuilder
from llama_index_medqa.answering.drafting import ExtractiveDrafter
from llama_index_medqa.answering.questions.decomposition import question_parts
from llama_index_medqa.answering.sentence_selection import EvidenceSelector, as_context, token_count
from tests.unit.answering.chunks import chunk

ROOM = 60


class Reading(ExtractiveDrafter):
    """Reads what it is given room for, as a model does."""

    def fitting(self, question, choose, most_tokens):
        return choose(most_tokens)


GENES = [
    chunk(f"PMID:{number}", f"Family {number}.", f"A mutation of the gene {gene} was found in Velmark syndrome.")
    for number, gene in enumerate(("PTPN11", "SOS1", "RAF1", "RIT1", "KRAS", "NRAS", "SHOC2", "CBL"), start=1)
]


def built(question):
    builder = ContextBuilder(AnswerabilityGate(), EvidenceSelector(), Reading(), ROOM)
    return builder.build(question, question_parts(question), [GENES])


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ("Which genes are mutated in Velmark syndrome?", 2),
        ("What is the difference between Velmark syndrome and scurvy?", 2),
        ("Is Velmark syndrome due to a mutation of a gene?", 1),
    ],
)
def test_lists_and_comparisons_get_twice_the_room(question, times):
    used = token_count(as_context(built(question).shown))
    assert (times - 1) * ROOM < used <= times * ROOM + 2 * len(GENES)


def test_records_of_which_nothing_is_shown_are_not_cited_and_yet_counted():
    evidence = built("Is Velmark syndrome due to a mutation of a gene?")
    shown = {passage.document_id for passage in evidence.shown}
    assert {passage.document_id for passage in evidence.passages} == shown
    assert 0 < len(shown) < len(GENES)
    assert len(evidence.nodes) == len(GENES)
    assert evidence.left_out == len(GENES) - len(shown)


def test_where_no_model_is_asked_all_records_are_told():
    evidence = built("Who won the match in Oslo on Friday?")
    assert evidence.refusal == "no_evidence"
    assert len(evidence.passages) == len(GENES)
