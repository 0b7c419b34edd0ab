"""Whether a question is tried: what records name counts more than which ordinary words they share."""

import json

import pytest

from llama_index_medqa.answering.answerability import BY_WORDS, AnswerabilityGate, Calibration, signals_of
from llama_index_medqa.errors import InputError
from llama_index_medqa.retrieval.retriever import RetrievedChunk
from tests.conftest import REPOSITORY
from tests.unit.answering.chunks import chunk

SULBACTAM = chunk(
    "PMID:1",
    "Sulbactam-durlobactam (Xacduro) for Acinetobacter infections.",
    "Xacduro was approved in 2023 and is made by Innoviva.",
)
OTHER = chunk(
    "PMID:2",
    "Which company produces a drug matters to doctors.",
    "The company that produces the antibiotic says that it is effective against disease.",
)


def tried(question, *chunks) -> bool:
    gate = AnswerabilityGate()
    confidence = gate.confidence(question, chunks)
    return confidence is not None and confidence >= gate.threshold


@pytest.mark.parametrize(
    "question",
    [
        "Which company produces Xacduro?",
        "Is Xacduro useful against this disease, doctor?",
        "What is the most advanced stage of development that Xacduro has reached?",
    ],
)
def test_a_matched_rare_name_is_trusted(question):
    assert tried(question, SULBACTAM)
    assert not tried(question, OTHER)


def test_what_is_known_of_names_is_told():
    signals = signals_of("Is Xacduro better than cefiderocol?", [SULBACTAM, OTHER])
    assert signals is not None
    assert (signals.named, signals.unnamed) == (False, 0.5)
    signals = signals_of("Which company produces Xacduro?", [SULBACTAM])
    assert signals is not None
    assert (signals.named, signals.unnamed) == (True, 0.0)
    signals = signals_of("Is sleep good?", [SULBACTAM])
    assert signals is not None
    assert (signals.named, signals.unnamed) == (False, 0.0)


def test_the_gate_goes_by_what_was_measured():
    way = json.loads((REPOSITORY / "benchmarks/results/abstention.json").read_text())["ways"]["words"]
    assert Calibration(*way["weights"], 0.0, way["threshold"]) == BY_WORDS


def test_a_cosine_counts_only_where_it_was_calibrated():
    def chance(gate, cosine):
        return gate.confidence("Was it approved?", [RetrievedChunk(node=SULBACTAM.node, score=1.0, cosine=cosine)])

    by_cosine = AnswerabilityGate(Calibration(-60.0, 4.0, 0.0, 65.0, 0.4))
    assert chance(by_cosine, 0.95) > chance(by_cosine, 0.85)
    assert chance(AnswerabilityGate(), 0.95) == chance(AnswerabilityGate(), 0.1) == chance(by_cosine, None)
    assert signals_of("Why?", []) is None


def test_a_threshold_is_a_chance():
    with pytest.raises(InputError, match="between 0 and 1"):
        AnswerabilityGate(threshold=1.5)
