"""Questions of a person about a person, and questions about the literature in the same words; judged by hand."""

import pytest

from llama_index_medqa.text.personal_questions import personal_question


@pytest.mark.parametrize(
    "question",
    [
        "My child swallowed a battery",
        "my husband has chest pain and is sweating",
        "he is not breathing what do I do",
        "I took too many paracetamol tablets",
        "I want to kill myself",
        "i took too many pills",
        "I can't breathe",
        "Someone ate rat poison",
        "My son is having a seizure, what should I do?",
    ],
)
def test_an_emergency(question):
    assert personal_question(question) == "emergency"


@pytest.mark.parametrize(
    "question",
    [
        "should I stop my warfarin?",
        "Is my blood pressure of 150 dangerous?",
        "Can I take ibuprofen while pregnant?",
        "can i take ibuprofen while pregnant",
        "My mother has Alzheimer's; does donepezil help?",
        "How can I lower my cholesterol?",
        "I had a stroke 3 years ago, can I take ibuprofen?",
        "Is aspirin safe for me?",
        "What is my risk of a heart attack?",
    ],
)
def test_advice(question):
    assert personal_question(question) == "advice"


@pytest.mark.parametrize(
    "question",
    [
        "Management of paracetamol overdose in adults",
        "Does aspirin reduce the risk of stroke in women?",
        "What is the mortality of type I respiratory failure?",
        "Is class I evidence available for phase I trials?",
        "What is our knowledge of Sézary syndrome?",
        "How do we treat migraine?",
        "What works in ME/CFS?",
        "Is mortality declining in US adults who had a heart attack?",
        "Can we treat bleeding in hemophilia with emicizumab?",
        "Do we know that statins cause diabetes?",
        "What are the symptoms of poisoning with lead in children?",
        "How should choking be treated in infants?",
        "Is suicide more common in physicians?",
        "Does interleukin I receptor blockade help?",
    ],
)
def test_a_question_about_the_literature(question):
    assert personal_question(question) is None
