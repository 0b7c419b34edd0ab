"""What a sentence states, and its clauses; expected by reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.claims import clauses_of, is_finite_verb, statement_of


@pytest.mark.parametrize(
    ("sentence", "statement"),
    [
        ("Yes, aspirin lowers fever.", "Aspirin lowers fever."),
        ("No. Aspirin does not lower fever.", "Aspirin does not lower fever."),
        ("The study found that aspirin lowers fever.", "Aspirin lowers fever."),
        ("Based on the provided abstracts, aspirin lowers fever.", "Aspirin lowers fever."),
        ("The passage states that IL-6 rose.", "IL-6 rose."),
        ("Yes.", ""),
        ("No", ""),
        ("No serious adverse events occurred.", "No serious adverse events occurred."),
        ("No, no harm was seen.", "No harm was seen."),
        ("Nodules shrank.", "Nodules shrank."),
        ("Yesterday's dose counts.", "Yesterday's dose counts."),
    ],
)
def test_what_a_sentence_states(sentence, statement):
    assert statement_of(sentence) == statement


@pytest.mark.parametrize(
    ("claim", "clauses"),
    [
        (
            "Tea slowed the pulse, and coffee was without effect.",
            ["Tea slowed the pulse.", "coffee was without effect."],
        ),
        (
            "Fever fell in treated children; no harm was seen in them.",
            ["Fever fell in treated children.", "no harm was seen in them."],
        ),
        ("Pain and fever were reduced.", ["Pain and fever were reduced."]),
        ("Aspirin reduced fever and pain.", ["Aspirin reduced fever and pain."]),
        (
            "Mortality was lower with aspirin, whereas bleeding was more common.",
            ["Mortality was lower with aspirin.", "bleeding was more common."],
        ),
        (
            "Nurses took blood, and doctors received the results.",
            ["Nurses took blood.", "doctors received the results."],
        ),
        ("Pain fell and sleep improved.", ["Pain fell.", "sleep improved."]),
        ("Vitamin D fell and vitamin K rose.", ["Vitamin D fell.", "vitamin K rose."]),
        # a second predicate gets the subject of the first
        ("Zinc lowered pain and prolonged life.", ["Zinc lowered pain.", "Zinc prolonged life."]),
        (
            "Zinc lowered pain in adults, but raised it in children.",
            ["Zinc lowered pain in adults.", "Zinc raised it in children."],
        ),
        (
            "In adults, zinc lowers pain and prolongs life.",
            ["In adults, zinc lowers pain.", "In adults, zinc prolongs life."],
        ),
        (
            "Zinc lowered pain, prolonged life and improved sleep.",
            ["Zinc lowered pain.", "Zinc prolonged life.", "Zinc improved sleep."],
        ),
        ("Zinc was safe and did not shorten colds.", ["Zinc was safe.", "Zinc did not shorten colds."]),
        ("Zinc lowered pain and was well tolerated.", ["Zinc lowered pain.", "Zinc was well tolerated."]),
        ("Zinc clearly lowered pain and was safe.", ["Zinc clearly lowered pain.", "Zinc was safe."]),
        ("Zinc did not ease pain but prolonged life.", ["Zinc did not ease pain.", "Zinc prolonged life."]),
        ("Zinc does not ease pain but prolongs life.", ["Zinc does not ease pain.", "Zinc prolongs life."]),
        (
            "Patients treated with zinc recovered quickly and relapsed less often.",
            ["Patients treated with zinc recovered quickly.", "Patients treated with zinc relapsed less often."],
        ),
    ],
)
def test_clauses(claim, clauses):
    assert clauses_of(claim) == clauses


@pytest.mark.parametrize(
    "claim",
    [
        "Tea, coffee and cocoa lowered pressure.",
        "Zinc lowered pain, fever and related symptoms.",
        "Zinc caused headaches and increases in weight.",
        "Zinc lowered pain and the increased risk of falls.",
        "The drug was associated with nausea and reduced appetite.",
        "Increased doses of zinc and iron were given to adults.",
        "Effects of zinc on diseases of the lung, sleep and mood were small in both.",
        "Mean errors of the model for weight and height were about 5%.",
        "It was shown that pain and fever were reduced by zinc.",
        "Patients whose fever had risen and adults were given zinc.",
        "There was no difference between those on zinc and those on placebo were few.",
        "There was no difference between zinc and iron was cheaper.",
        "People from towns and those under 25 were more often ill.",
        "Results were better once fever, pain and cough were treated.",
        "Fever was treated at the start and a year after the pills were stopped.",
        "Zinc lowered pain more and sleep better than iron did.",
        "Stress was better managed, and falls in residents and sick leave decreased.",
        "Zinc lowered pain in adults who had fever and were old.",
        "Aspirin reduced and delayed pain.",
        "Levels lowered by zinc and raised by iron.",
        "Zinc was safe in adults and in children was harmful.",
        "Fever fell in all children; no harm to any of them.",
        "Zinc lowered pain, reduced already by rest.",
        "Zinc lowered pain, reduced already by rest and sleep.",
        # zinc may have done neither
        "Zinc did not ease pain and prolonged life.",
        "Zinc lowered the cut-off and extended-release pills.",
        # true of both halves together only
        "No drug lowered pain and prolonged life.",
        "Only zinc lowered pain and prolonged life.",
        "Both zinc lowered pain and prolonged life.",
    ],
)
def test_what_is_one_statement_stays_whole(claim):
    assert clauses_of(claim) == [claim]


_WORDS = "Zinc pain life and but lowered lowers was did not , ; who in adults, no both children increased of".split()
_CLAIMS = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=14).map(" ".join)


@given(_CLAIMS | st.text(alphabet="ab cd,;. andwas", min_size=1, max_size=80))
def test_no_word_of_a_claim_is_lost_but_the_joints(claim):
    told = iter(_words(" ".join(clauses_of(claim))))
    joints = {"and", "but", "yet", "while", "whereas", "although"}
    assert all(word in joints or word in told for word in _words(claim))


@given(_CLAIMS)
def test_clauses_are_made_of_the_words_of_the_claim(claim):
    clauses = clauses_of(claim)
    assert {word for clause in clauses for word in _words(clause)} <= set(_words(claim))
    assert len(clauses) > 1 or _words(clauses[0]) == _words(claim)


def _words(text):
    return text.replace(".", " ").replace(",", " ").replace(";", " ").split()


_SUBJECTS = st.sampled_from(["Zinc", "In adults, zinc", "High doses of zinc", "Zinc and iron", "Tea, coffee and zinc"])
_PREDICATES = {
    "past": ["lowered pain", "prolonged life in adults", "was safe", "cut costs by 5%", "did not ease pain or fever"],
    "present": ["lowers pain", "prolongs life in adults", "is safe", "raises costs by 5%", "may ease pain or fever"],
}


@given(
    _SUBJECTS,
    st.sampled_from(["past", "present"]).flatmap(
        lambda tense: st.lists(
            st.sampled_from(_PREDICATES[tense][:2] + _PREDICATES[tense][3:4]), min_size=2, max_size=3
        )
    ),
    st.sampled_from([" and ", ", and ", ", but "]),
)
def test_each_predicate_gets_the_subject(subject, predicates, joint):
    claim = f"{subject} {', '.join(predicates[:-1])}{joint}{predicates[-1]}."
    assert clauses_of(claim) == [f"{subject} {predicate}." for predicate in predicates]


@given(_SUBJECTS, st.sampled_from(["past", "present"]), st.sampled_from([2, 4]), st.sampled_from([" and ", ", but "]))
def test_a_predicate_with_an_auxiliary_gets_the_subject(subject, tense, number, joint):
    first, second = _PREDICATES[tense][0], _PREDICATES[tense][number]
    assert clauses_of(f"{subject} {first}{joint}{second}.") == [f"{subject} {first}.", f"{subject} {second}."]


_THINGS = st.sampled_from(
    [
        "fever",
        "related symptoms",
        "diseases of the lung",
        "severe pain",
        "IL-6",
        "severe mixed states",
        "quality of life",
    ]
)


@given(_SUBJECTS, st.lists(_THINGS, min_size=2, max_size=5), st.sampled_from([" and ", ", and ", " or "]))
def test_a_list_of_things_stays_whole(subject, things, joint):
    listed = f"{', '.join(things[:-1])}{joint}{things[-1]}"
    for claim in (f"{subject} lowered {listed} in adults.", f"{listed} were common in adults."):
        assert clauses_of(claim) == [claim]


def test_finite_verbs_of_findings():
    told = {word: is_finite_verb(word) for word in ("lowered", "is", "showed", "tea", "lower", "is not")}
    assert told == {"lowered": True, "is": True, "showed": True, "tea": False, "lower": False, "is not": False}
