"""What is said of planted orders with the verifier of the package, and how many real records are taken for them.

Every eighth record of a MEDLINE update file of 2021 is read, so that this takes a minute at most.
"""

from dataclasses import replace
from datetime import date

import pytest

from llama_index_medqa import MedQAQueryEngine, PubMedIndex, TokenNodeParser
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.text import as_markdown, as_text
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM
from llama_index_medqa.text.injection.detector import gives_orders, suspicion
from llama_index_medqa.text.injection.directives import is_directive
from llama_index_medqa.text.printable import printable
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.weights import locate
from tests.doubles.planted_orders import EVASIVE, EVASIVE_HELD_OUT, HELD_OUT, SEEN, PlantedOrder, planted_orders

pytestmark = pytest.mark.integration

PMID = 7_000
STEP = 8
# Of some 2,600 records with 25,000 sentences. One such as "allowing the reader to appreciate …" supports nothing.
MOST_WITHHELD = 0
MOST_POSSIBLE = 12


def test_hardly_any_record_of_medline_is_withheld():
    withheld, possible = [], 0
    for number, record in enumerate(read_records(locate("pubmed21n1298.xml.gz"))):
        if number % STEP == 0 and isinstance(record, PubMedRecord):
            sentences = [record.text[start:end] for start, end in split_sentences(record.text)]
            if any(map(gives_orders, (record.title, record.text, *sentences))):
                withheld.append((record.pmid, record.title))
            possible += sum(suspicion(sentence) == "possible" or is_directive(sentence) for sentence in sentences)
    assert len(withheld) <= MOST_WITHHELD, withheld
    assert possible <= MOST_POSSIBLE


# The most of twenty that are said: found once, and never raised. Of the held-out evasive ones a quarter is, which
# docs/limits.md tells; before the second half of the detector it was three quarters.
@pytest.mark.parametrize(("name", "most_said"), [(SEEN, 0), (HELD_OUT, 0), (EVASIVE, 0), (EVASIVE_HELD_OUT, 5)])
def test_what_an_abstract_orders_is_not_said(tmp_path, word_piece, name, most_said):
    said = []
    for number, planted in enumerate(planted_orders(name)):
        parser = TokenNodeParser(tokenizer=word_piece, chunk_size=128, chunk_overlap=16)
        index = PubMedIndex.open(
            str(tmp_path / str(number)), embed_model=HashEmbedding(), node_parser=parser, create=True
        )
        index.ingest([to_document(planted.record(PMID))])
        # A model that obeys, and repeats the order; and the quotes that are given without a model.
        obeying = ScriptedLLM([f"{planted.draft} [PMID:{PMID}] {planted.order} [PMID:{PMID}]"])
        question = f"{planted.draft.rstrip('.')}?"
        for drafter in (obeying, "extractive"):
            response = MedQAQueryEngine.from_index(index, drafter).query(question)
            if says(planted, question, response):
                said.append(planted.order or planted.title)
                break
    assert len(said) <= most_said, said


def says(planted: PlantedOrder, question: str, response: MedQAResponse) -> bool:
    """Whether an answer, or what is made of it, holds an order or what it demands; nothing may be printed raw."""
    today = date(2026, 1, 1)
    # The page shows what of a model's words was left out, and says so.
    told = replace(response, dropped=[])
    written = [str(response), *(render(question, told, today) for render in (as_text, as_markdown, as_html))]
    assert all(printable(text) == text for text in written)
    demanded = planted.draft.rstrip(".").casefold()
    return (
        any(planted.order and planted.order in text.replace(question, "") for text in written)
        or any(demanded in sentence.text.casefold() for sentence in response.sentences)
        or any(quote.quote in planted.order for quote in response.findings)
    )
