"""A model's own marks and quotations beside the records; expected by reading."""

import pytest
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from llama_index_medqa.verification.citation_marks import take_apart
from llama_index_medqa.verification.model_citations import cite, mark_findings, quotations, with_quotations
from llama_index_medqa.verification.passages import passages_of
from llama_index_medqa.verification.verdicts import Citation

# The record's text goes on behind the first 100 characters, which were not retrieved.
START = 100


def retrieved(text, document, start=START):
    node = TextNode(
        text=text,
        start_char_idx=start,
        metadata={"title": "Tea"},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
    )
    return passages_of([NodeWithScore(node=node, score=1.0)])[0]


def test_positions_are_those_of_the_record():
    citation = cite(retrieved("Tea helps. Coffee harms.", "PMID:7"), START + 11, START + 24)
    assert citation == Citation("PMID:7", "7", "Tea", 111, 124, "Coffee harms.")


def test_each_quotation_is_found_in_one_of_the_stretches_of_its_record():
    passages = [
        retrieved("Coffee harms.", "PMID:8"),
        retrieved("Tea helps.", "PMID:7"),
        retrieved("Coffee harms nobody.", "PMID:7", 300),
    ]
    both = take_apart("They say “coffee harms” and “tea helps”.")
    assert [(one.document_id, one.start, one.quote) for one in quotations(both, "PMID:7", passages)] == [
        ("PMID:7", 300, "Coffee harms"),
        ("PMID:7", START, "Tea helps"),
    ]
    assert quotations(both, "PMID:8", passages) is None
    assert quotations(take_apart("Tea helps."), "PMID:8", passages) == []


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        ("[PMID:7]", []),
        ("[PMID:8]", [("wrong_mark", "PMID:8 does not say this")]),
        ("[PMID:9]", [("unknown_mark", "PMID:9 was not retrieved")]),
        (
            "[PMID:9][PMID:7][PMID:8]",
            [("unknown_mark", "PMID:9 was not retrieved"), ("wrong_mark", "PMID:8 does not say this")],
        ),
    ],
)
def test_marks_of_other_records_are_told(claimed, told):
    found = mark_findings(take_apart(f"Tea helps {claimed}."), {"PMID:7"}, {"PMID:7", "PMID:8"})
    assert [(finding.kind, finding.detail) for finding in found] == told


@pytest.mark.parametrize(
    ("document", "start", "end", "added"),
    [
        ("PMID:7", 100, 110, False),  # the same
        ("PMID:7", 103, 107, False),  # within
        ("PMID:7", 99, 110, True),
        ("PMID:7", 100, 111, True),
        ("PMID:8", 103, 107, True),
    ],
)
def test_a_quotation_that_a_citation_holds_is_not_cited_again(document, start, end, added):
    citation = Citation("PMID:7", "7", "Tea", 100, 110, "Tea helps.")
    quoted = Citation(document, document[5:], "Tea", start, end, "")
    assert with_quotations([citation], [quoted]) == ((citation, quoted) if added else (citation,))
