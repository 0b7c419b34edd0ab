"""How many real records are taken for ones with planted orders: all of a MEDLINE update file of 2021."""

import pytest

from llama_index_medqa.pubmed.formats import read_records
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.text.prompt_injection import gives_orders, suspicion
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.weights import locate

pytestmark = pytest.mark.integration

# Found once: none is withheld. A few sentences, such as "which software should you choose", support nothing.
MOST_WITHHELD = 2
MOST_POSSIBLE = 60


def test_hardly_any_record_of_medline_is_withheld():
    withheld, possible = [], 0
    for record in read_records(locate("pubmed21n1298.xml.gz")):
        if isinstance(record, PubMedRecord):
            sentences = [record.text[start:end] for start, end in split_sentences(record.text)]
            if any(map(gives_orders, (record.title, record.text, *sentences))):
                withheld.append((record.pmid, record.title))
            possible += sum(suspicion(sentence) == "possible" for sentence in sentences)
    assert len(withheld) <= MOST_WITHHELD, withheld
    assert possible <= MOST_POSSIBLE
