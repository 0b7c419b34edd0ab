"""The forms in which people write a PMID, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.evaluation.document_ids import canonical_id
from llama_index_medqa.pubmed.pmids import is_plain_pmid, is_pmid, pmid_of

FORMS = (
    "{}",
    " {} ",
    "00{}",
    "{}.0",
    "PMID:{}",
    "PMID: {}",
    "pmid {}",
    "PMID #{}",
    "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "http://www.ncbi.nlm.nih.gov/pubmed/{}",
    "pubmed.ncbi.nlm.nih.gov/{}",
)


@given(st.integers(1, 10**8 - 1), st.sampled_from(FORMS))
def test_every_form_gives_the_number(number, form):
    text = form.format(number)
    assert pmid_of(text) == str(number)
    assert canonical_id(text) == f"PMID:{number}"


@pytest.mark.parametrize(
    "text", ["", "0", "PMID:", "PMC123", "12 34", "12.5", "SHA:123", "10.1000/123", "١٢٣", "https://example.org/123"]
)
def test_other_texts_give_none(text):
    assert pmid_of(text) is None


@given(st.text(max_size=20))
def test_what_is_found_is_plain(text):
    found = pmid_of(text)
    assert found is None or (is_plain_pmid(found) and found in text)


def test_lengths_and_leading_zeros():
    assert is_pmid("0123456789")
    assert not is_pmid("12345678901")
    assert not is_pmid("12a")
    assert is_plain_pmid("123")
    assert not is_plain_pmid("0123")
