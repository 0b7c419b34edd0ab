"""Sentences; expected cuts were made by eye."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.sentences import split_sentences

SENTENCES = [
    ["Mortality fell (p < 0.05; Fig. 2).", "No harm was seen."],
    ["Drugs, e.g. Aspirin, were stopped.", "Others, i.e. Statins, were not."],
    ["H. pylori was treated.", "E. coli was not."],
    ["Smith et al. Reported less.", "We did not."],
    ["The dose was 2.5 mg vs. 5 mg.", "It worked."],
    ["Did it help?", "It did!", "“It did.”", "(So they say.)"],
    ["First line\n", "Second line"],
    ["TNF-α rose.", "α-blockers were given.", "95% recovered."],
    ["Approx. 30 patients (ca. 12%) left."],
    ["It was given i.v.", "The dose was 5 mg.", "It was given p.o. Aspirin was not."],
    ["A 95% CI of 1.2-3.4 (vs. 2.0) was found by Dr. Smith.", "We agree."],
    ["They took vitamin D.", "They got better."],
    ["Patients with hepatitis B.", "Patients without."],
    ["Was it safe?", "No.", "Patients died."],
    ["See no. 7 and Fig. S1 there.", "It took 20 min.", "Patients waited."],
    ["Cells died.", "mTOR was blocked.", "p53 rose.", "miR-21 fell."],
    ["1. Aspirin helps.", "Tea does not."],
    ["The U.S. Congress met.", "It was in the U.S.", "However, it failed."],
    ["P was .05.", "The value of p was <.001.", "J. Smith saw it."],
    ["Mice (n = 5; s.c. 3 mg/kg) vs. Rats were compared (Tab. 3).", "None died!"],
]


def test_a_heading_without_a_space_before_it_begins_a_sentence():
    text = "Iron fell in 3.5 % (n = 4).RESULTS: It rose.MATERIALS AND METHODS: We used DNA.RNA was not used."
    assert [text[start:end] for start, end in split_sentences(text)] == [
        "Iron fell in 3.5 % (n = 4).",
        "RESULTS: It rose.",
        "MATERIALS AND METHODS: We used DNA.RNA was not used.",
    ]


@pytest.mark.parametrize("sentences", SENTENCES)
def test_sentences_of_medical_text(sentences):
    text = " ".join(sentences)
    if sentences[0].startswith("TNF"):
        # A Greek small letter does not begin a sentence: that join is kept rather than guessed.
        sentences = [" ".join(sentences[:2]), sentences[2]]
    assert [text[start:end] for start, end in split_sentences(text)] == [sentence.strip() for sentence in sentences]


@given(st.text(alphabet="abcABC .!?\n()0123\"'", max_size=120))
def test_sentences_cover_the_text_in_order(text):
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    gaps = itertools.pairwise([(0, 0), *spans, (len(text), len(text))])
    assert not any(text[before[1] : after[0]].strip() for before, after in gaps)


@given(st.text(alphabet='aBvs .!?\n(1"i', max_size=80))
def test_a_sentence_is_one_sentence(text):
    for start, end in split_sentences(text):
        assert split_sentences(text[start:end]) == [(0, end - start)]
