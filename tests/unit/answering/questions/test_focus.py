"""What questions ask for; labelled by hand."""

import pytest

from llama_index_medqa.answering.questions.focus import aspects_of, form_of, tells_of


@pytest.mark.parametrize(
    ("question", "aspect"),
    [
        ("How is sarcoidosis treated?", "treatment"),
        ("1st line tx for gonorrhoea?", "treatment"),
        ("What is the drug of choice for absence seizures?", "treatment"),
        ("Can rabies be prevented after a bite?", "prevention"),
        ("What causes Crohn's disease?", "cause"),
        ("Which gene is responsible for the Liebenberg syndrome?", "cause"),
        ("What are the risk factors for stroke?", "risk"),
        ("How common is coeliac disease?", "frequency"),
        ("What is the incidence of testicular torsion?", "frequency"),
        ("How does metformin work?", "mechanism"),
        ("What is the mechanism of action of lumasiran?", "mechanism"),
        ("How is multiple sclerosis diagnosed?", "diagnosis"),
        ("What are the symptoms of scurvy?", "symptom"),
        ("What is the five-year survival of pancreatic cancer?", "prognosis"),
        ("What is the mortality of Ebola?", "prognosis"),
        ("Is tramadol safe in pregnancy?", "safety"),
        ("What are the side effects of lithium?", "safety"),
        ("What dose of amoxicillin is given for otitis media?", "dose"),
        ("Is apixaban better than warfarin?", "comparison"),
        ("What is Morton's neuroma?", "definition"),
    ],
)
def test_the_aspect_is_recognised(question, aspect):
    assert aspect in aspects_of(question)


def test_a_question_that_names_no_aspect_has_none():
    assert aspects_of("Where is perforin found?") == ()


@pytest.mark.parametrize(
    ("sentence", "aspect", "told"),
    [
        ("Prednisone is given first.", "treatment", False),
        ("Prednisone is the recommended therapy.", "treatment", True),
        ("It affected 3 per 100,000 people.", "frequency", True),
        ("It affected the skin.", "frequency", False),
        ("Patients took 500 mg twice daily.", "dose", True),
        ("Patients took tablets.", "dose", False),
        ("Of 60 patients 12 died.", "prognosis", True),
        ("Fever and rash were the usual signs.", "symptom", True),
    ],
)
def test_sentences_tell_of_an_aspect_by_their_words(sentence, aspect, told):
    assert tells_of(sentence, aspect) == told


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Does green tea lower the heart rate?", "yes_no"),
        ("Neck pain treatment with acupuncture: does the number of needles matter?", "yes_no"),
        ("Which genes are mutated in Noonan syndrome?", "list"),
        ("List the drug targets of faricimab.", "list"),
        ("What are the symptoms of scurvy?", "list"),
        ("Please list the syndromes that are part of TAFRO", "list"),
        ("Which proteins does RG-7992 target?", "list"),
        ("What is the difference between PG and venous ulcers?", "comparison"),
        ("Is apixaban better than warfarin?", "comparison"),
        ("Aspirin versus clopidogrel after stroke?", "comparison"),
        ("What is holoprosencephaly?", "description"),
        ("Which gene is responsible for the Liebenberg syndrome?", "description"),
        ("Which company produces Xacduro?", "description"),
        ("What does temsirolimus inhibit?", "description"),
        ("Which virus causes measles?", "description"),
        ("What is the role of lupus anticoagulant?", "description"),
        ("How does metformin work?", "description"),
    ],
)
def test_the_form_of_the_answer_is_recognised(question, form):
    assert form_of(question) == form
