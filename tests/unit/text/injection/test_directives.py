"""Orders to the reader, and sentences of abstracts that begin with the same words; judged by hand."""

import pytest

from llama_index_medqa.text.injection.directives import is_directive


@pytest.mark.parametrize(
    "sentence",
    [
        "Stop taking warfarin.",
        "Take 5 mg daily.",
        "You should see a doctor.",
        "If you are pregnant, avoid alcohol.",
        "Consult your doctor before use.",
        "Do not take aspirin.",
        "Never mix it with alcohol.",
        "Seek immediate medical care.",
        "Please call for help.",
        "You can take ibuprofen.",
        "No, do not stop taking it.",
        "It is best to ask your pharmacist.",
    ],
)
def test_it_tells_the_reader_what_to_do(sentence):
    assert is_directive(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Stop codons were read through.",
        "Use of statins was associated with myopathy.",
        "Clinicians should consider statins.",
        "Patients should avoid alcohol.",
        "Exercise improves mood.",
        "Contact dermatitis is common.",
        "Lower doses were used.",
        "Increase in blood pressure was seen.",
        "Rest pain was relieved.",
        "Visit-to-visit variability predicted stroke.",
        "Do statins differ?",
    ],
)
def test_it_only_tells_what_is_known(sentence):
    assert not is_directive(sentence)
