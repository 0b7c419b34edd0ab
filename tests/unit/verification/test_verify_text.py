"""Sentences beside one text; spans are found by ``str.index``, and the model's chances are written here."""

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.verification.passages import TEXT_ID, passage_of_text
from llama_index_medqa.verification.verifier import ClaimVerifier, verify_text
from tests.unit.verification.evidence import Scripted

FELL = "Resting pulse fell by 3.5 beats per minute in those who drank tea."
SAFE = "No serious harm occurred."
CLAIM = "Drinking tea slows the resting pulse."


def verified(sentences, text, chances, **settings):
    return verify_text(sentences, text, verifier=ClaimVerifier(Scripted(chances)), **settings)


def test_the_words_and_their_characters_are_given():
    text = f"{SAFE} {FELL}"
    [found] = verified([CLAIM], text, {FELL: (0.95, 0.0)})
    assert (found.verdict, found.support) == ("supported", 0.95)
    [citation] = found.citations
    assert (citation.document_id, citation.pmid, citation.title) == (TEXT_ID, None, "")
    assert (citation.start, citation.end) == (text.index(FELL), text.index(FELL) + len(FELL))
    assert text[citation.start : citation.end] == citation.quote == FELL


def test_a_text_of_several_sentences_is_split_and_marks_are_taken_off():
    found = verified(f"{CLAIM[:-1]} [PMID:12]. Tea causes harm [PMID:13; PMID:14].", FELL, {FELL: (0.95, 0.0)})
    assert [one.text for one in found] == [CLAIM, "Tea causes harm."]
    assert all(finding.kind not in ("unknown_mark", "wrong_mark") for one in found for finding in one.findings)


def test_lines_that_are_wrapped_are_read_whole_and_quoted_as_they_stand():
    text = (
        "We asked 120 adults who work in a hospital to drink tea or water for twelve weeks.\n\n"
        "Resting pulse fell by 3.5 beats per minute in those who\ndrank tea. No serious harm\noccurred."
    )
    [found] = verified([CLAIM], text, {FELL: (0.95, 0.0)})
    [citation] = found.citations
    quote = "Resting pulse fell by 3.5 beats per minute in those who\ndrank tea."
    assert (citation.start, citation.quote) == (text.index(quote), quote)
    against = verified([CLAIM], text, {FELL: (0.0, 0.9)})[0]
    assert against.verdict == "contradicted"
    assert all(text[one.start : one.end] == one.quote for one in against.opposing)


def test_a_title_is_read_beside_the_text_and_is_no_part_of_it():
    model = Scripted({})
    verify_text([CLAIM], FELL, title="Tea and the heart", verifier=ClaimVerifier(model))
    assert model.asked[0][0] == f"Tea and the heart. {FELL}"
    [found] = verified([CLAIM], FELL, {FELL: (0.95, 0.0)}, title="Tea and the heart")
    assert found.citations[0].quote == FELL


def test_the_last_sentence_of_a_whole_text_needs_no_full_stop():
    assert [sentence.complete for sentence in passage_of_text(f"{SAFE} Tea slows the pulse").sentences] == [True, True]


def test_the_strictness_is_that_of_the_verifier():
    text = f"{FELL} {SAFE}"
    with pytest.raises(InputError, match="strictness cannot be 'lax'"):
        verify_text([CLAIM], text, strictness="lax")
    assert verify_text([FELL], text, strictness="strict")[0].verdict == "supported"


@pytest.mark.parametrize("sentences", ["", " \n ", []])
def test_nothing_to_verify_is_an_error(sentences):
    with pytest.raises(InputError, match="nothing to verify"):
        verify_text(sentences, FELL)


def test_an_empty_text_is_an_error():
    with pytest.raises(InputError, match="text to verify against is empty"):
        verify_text([CLAIM], " \n")
