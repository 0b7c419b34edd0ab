"""Twins for training the verifier: labels by kind on hand-made abstracts, balance, repeatability, nothing lost."""

import functools
import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.verifier.abstracts import Abstract, kept_out_pmids, read_abstracts, without_section_label
from training.verifier.places import title
from training.verifier.rewording import reworded, shortened
from training.verifier.scopes import names_by_class, restrictions
from training.verifier.twin import TwinSource, capitalized
from training.verifier.twins import GENERATORS, Pair, make_twins, overlap

PADDING = (
    "Sixty volunteers from four towns in the north of the country came to the clinic on three days of each week.",
    "Visits went on until the end of the second winter, and two nurses kept the records of all of them by hand.",
)
COMPARED = "Mean blood pressure was higher in the placebo group than in the losartan group."
RATES = "Relapse was seen in 12% of treated women and 30% of untreated women, and nobody died."
RESPECTIVELY = "Aspirin and placebo led to bleeding rates of 5% and 3%, respectively."
DIRECTED = "Losartan increased renal blood flow after ten days of use."
DENIED = "Losartan did not reduce the number of falls on the ward."
STATED = "Losartan was significantly associated with fewer falls on the ward."
MEASURED = "Treatment was given at 40 mg of losartan twice a day."
RESTRICTED = "In women with diabetes, losartan lowers the rate of stroke markedly."
ASKED = "The aim was to learn whether losartan reduces the rate of stroke in old age."
LINKED = "Coffee drinking was associated with a shorter stay on the ward."
ANIMAL = "Losartan protected the kidneys of rats from scarring."
HEDGED = "Losartan may reduce the rate of stroke in old age."
NAMED = "Patients took losartan for six weeks without any complaint."


def source(sentence: str, others: tuple[str, ...] = PADDING) -> TwinSource:
    abstract = Abstract("1", "Losartan on the ward", (*others, sentence))
    pool = [abstract, Abstract("2", "", ("Among men with gout, valsartan worked well for years.",))]
    return TwinSource(abstract, len(others), random.Random(4), names_by_class(pool), restrictions(pool))


def told(kind: str, sentence: str) -> dict[tuple[str, str], str]:
    return {(twin.sentences[twin.index], twin.claim): twin.label for twin in GENERATORS[kind](source(sentence))}


@pytest.mark.parametrize(
    ("kind", "statement", "claim", "label"),
    [
        ("direction", DIRECTED, DIRECTED, "entailment"),
        ("direction", DIRECTED, "Losartan decreased renal blood flow after ten days of use.", "contradiction"),
        ("direction", "Losartan decreased renal blood flow after ten days of use.", DIRECTED, "contradiction"),
        ("negation", DENIED, "Losartan reduced the number of falls on the ward.", "contradiction"),
        ("negation", "Losartan reduced the number of falls on the ward.", DENIED, "contradiction"),
        ("negation", STATED, STATED, "entailment"),
        ("negation", STATED, STATED.replace("was", "was not"), "contradiction"),
        ("subgroup", RESTRICTED, "Losartan lowers the rate of stroke markedly.", "neutral"),
        (
            "subgroup",
            "Losartan lowers the rate of stroke markedly.",
            "Losartan lowers the rate of stroke markedly.",
            "entailment",
        ),
        ("cause", LINKED, "Coffee drinking caused a shorter stay on the ward.", "neutral"),
        (
            "cause",
            "Coffee drinking caused a shorter stay on the ward.",
            "Coffee drinking caused a shorter stay on the ward.",
            "entailment",
        ),
        ("cause", LINKED, LINKED, "entailment"),
        ("certainty", HEDGED, "Losartan reduces the rate of stroke in old age.", "neutral"),
        ("certainty", HEDGED, HEDGED, "entailment"),
    ],
)
def test_label_of_a_changed_claim(kind: str, statement: str, claim: str, label: str) -> None:
    sentence = {"direction": DIRECTED, "subgroup": RESTRICTED, "cause": LINKED, "certainty": HEDGED}.get(kind)
    assert told(kind, sentence or (DENIED if "reduce" in statement else STATED))[statement, claim] == label


def test_comparison_holds_where_both_or_no_change_is_made() -> None:
    pressure = {"higher": {"placebo": "high", "losartan": "low"}, "lower": {"placebo": "low", "losartan": "high"}}
    twins = list(GENERATORS["comparison"](source(COMPARED)))
    assert len(twins) == 4
    for twin in twins:
        levels = [_first_side_and_word(text) for text in (twin.sentences[twin.index], twin.claim)]
        # What each text says of the placebo group, worked out from its first-named side and its comparative.
        placebo = [
            pressure[word]["placebo"] if side == "placebo" else pressure[word]["losartan"] for side, word in levels
        ]
        assert (twin.label == "entailment") == (placebo[0] == placebo[1])


def _first_side_and_word(text: str) -> tuple[str, str]:
    side = "placebo" if text.index("placebo") < text.index("losartan") else "losartan"
    if text.startswith("Compared with"):
        side = "losartan" if side == "placebo" else "placebo"
    return side, "higher" if "higher" in text else "lower"


@pytest.mark.parametrize(
    ("sentence", "numbers", "groups"),
    [
        (RATES, ("12%", "30%"), ("of treated women", "of untreated women")),
        (RESPECTIVELY, ("5%", "3%"), ("Aspirin", "placebo")),
    ],
)
def test_rate_holds_where_each_number_is_told_of_its_group(
    sentence: str, numbers: tuple[str, str], groups: tuple[str, str]
) -> None:
    twins = list(GENERATORS["rate"](source(sentence)))
    assert Counter(twin.label for twin in twins) == {"entailment": 2, "contradiction": 2}
    for twin in twins:
        orders = [
            (text.index(numbers[0]) < text.index(numbers[1]))
            == (text.lower().index(groups[0].lower()) < text.lower().index(groups[1].lower()))
            for text in (twin.sentences[twin.index], twin.claim)
        ]
        assert (twin.label == "entailment") == (orders[0] == orders[1])
        assert sorted(twin.claim.lower().replace(",", "").split()) == sorted(sentence.lower().replace(",", "").split())


def test_number_or_unit_is_changed_once() -> None:
    twins = list(GENERATORS["number"](source(MEASURED)))
    changed = next(twin.claim for twin in twins if twin.claim != MEASURED)
    assert changed.startswith("Treatment was given at ")
    assert changed.endswith(" of losartan twice a day.")
    assert [twin.label for twin in twins] == ["entailment", "contradiction", "contradiction", "entailment"]


def test_aim_is_no_finding() -> None:
    twins = list(GENERATORS["aim"](source(ASKED)))
    claim = "Losartan reduces the rate of stroke in old age."
    assert [(twin.claim, twin.label) for twin in twins] == [(claim, "neutral"), (claim, "entailment")]
    asked, found = (twin.sentences[twin.index] for twin in twins)
    assert "losartan reduces" in asked
    assert any(word in asked for word in ("whether", "Whether", "hypothes", "suggested", "proposed"))
    assert not any(word in found for word in ("whether", "Whether", "hypothes", "suggested", "proposed"))


def test_of_two_clauses_only_the_one_stated_is_found() -> None:
    other = "We found that valsartan improves sleep in old age."
    twins = list(GENERATORS["aim"](source(ASKED, (*PADDING, other))))
    assert len(twins) == 4
    for twin in twins:
        statement = twin.sentences[twin.index]
        assert other not in twin.sentences
        clause = twin.claim[1:-1]
        before = statement[: statement.index(clause)].rpartition(". ")[2]
        asks = any(word in before.lower() for word in ("whether", "hypothes", "suggested", "proposed"))
        assert (twin.label == "neutral") == asks


@pytest.mark.parametrize(("kind", "sentence", "name"), [("population", ANIMAL, "rats"), ("entity", NAMED, "losartan")])
def test_another_name_is_changed_in_the_whole_abstract_and_leaves_open(kind: str, sentence: str, name: str) -> None:
    others = (f"We studied {name} for a year.", *PADDING)
    twins = list(GENERATORS[kind](source(sentence, others)))
    assert Counter(twin.label for twin in twins) == {"entailment": 2, "neutral": 2}
    for twin in twins:
        same = (name in twin.sentences[-1]) == (name in twin.claim)
        assert (twin.label == "entailment") == same
        assert (name in twin.sentences[0]) == (name in twin.sentences[-1])


def test_animals_are_told_as_people() -> None:
    claims = {twin.claim for twin in GENERATORS["population"](source(ANIMAL))} - {ANIMAL}
    people = "patients/women/men/children/infants/adults/adolescents/healthy volunteers/pregnant women/older adults"
    assert claims <= {ANIMAL.replace("rats", group) for group in people.split("/")}
    assert len(claims) == 1


def test_a_result_told_elsewhere_is_not_told_here() -> None:
    result = "Blood pressure fell by 12 mm in 40 of the treated patients of the clinic."
    like = "Blood pressure of the treated patients of the clinic was taken by hand in the morning."
    twins = list(GENERATORS["elsewhere"](source(result, (like, "Nobody left.", "Rooms were warm.", "Food was free."))))
    assert [(twin.claim, twin.label) for twin in twins] == [(result, "neutral"), (result, "entailment")]
    assert result not in twins[0].sentences
    assert like in twins[0].sentences


def test_a_finding_title_against_conclusions() -> None:
    own = ("Losartan reduces stroke in old age.", "Its use in old age should be tried.")
    abstract = Abstract("1", "Losartan reduces stroke in old age: a trial", own)
    other = Abstract("2", "", ("Coffee keeps people awake.", "Tea does not."))
    twins = list(title(abstract, [other], source(DIRECTED)))
    assert [(twin.claim, twin.label) for twin in twins] == [
        ("Losartan reduces stroke in old age.", "entailment"),
        ("Losartan reduces stroke in old age.", "neutral"),
        ("Losartan increases stroke in old age.", "contradiction"),
    ]
    assert twins[1].sentences == ("Coffee keeps people awake. Tea does not.",)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("direction", "We investigated whether losartan increased renal blood flow."),
        ("negation", "The aim was to test whether falls were common on the ward."),
        ("comparison", "Blood pressure was not higher in the placebo group than in the losartan group."),
        ("rate", "Relapse was seen in 12% of treated women and 12% of untreated women, and nobody died."),
        ("number", "The difference was small (p < 0.05 mg)."),
        ("certainty", "Losartan reduces the rate of stroke."),
        ("subgroup", "In the second year, losartan lowers the rate of stroke markedly."),
        ("aim", "This is a disorder that affects many people in old age."),
        ("cause", "Coffee was not associated with a shorter stay."),
    ],
)
def test_sentences_that_a_change_would_not_make_wrong_are_left(kind: str, sentence: str) -> None:
    assert not list(GENERATORS[kind](source(sentence)))


@functools.cache
def made() -> list[Pair]:
    return make_twins(abstracts())


def abstracts() -> list[Abstract]:
    kinds = (
        COMPARED,
        RATES,
        RESPECTIVELY,
        DIRECTED,
        DENIED,
        STATED,
        MEASURED,
        RESTRICTED,
        ASKED,
        LINKED,
        ANIMAL,
        HEDGED,
    )
    illnesses = {"losartan": "diabetes", "valsartan": "gout", "irbesartan": "asthma", "telmisartan": "anaemia"}
    return [
        Abstract(
            f"{number}{place}",
            f"{capitalized(drug)} on the ward",
            (*PADDING, _told_of(sentence, drug).replace("diabetes", illness), *PADDING),
        )
        for number, (drug, illness) in enumerate(illnesses.items())
        for place, sentence in enumerate((*kinds, NAMED))
    ]


def _told_of(sentence: str, drug: str) -> str:
    return sentence.replace("losartan", drug).replace("Losartan", capitalized(drug))


def test_as_many_right_as_wrong_of_each_kind_and_group() -> None:
    pairs = made()
    assert {pair.kind for pair in pairs} >= set(GENERATORS) - {"elsewhere"}
    for kind in GENERATORS:
        labels = Counter(pair.label == "entailment" for pair in pairs if pair.kind == kind)
        assert labels[True] == labels[False]


def test_right_claims_share_no_more_words_with_their_premise() -> None:
    for kind in GENERATORS:
        of_kind = [pair for pair in made() if pair.kind == kind]
        right = sum(overlap(pair) for pair in of_kind if pair.label == "entailment")
        wrong = sum(overlap(pair) for pair in of_kind if pair.label != "entailment")
        # The slack is a tenth of a claim's words over all the sets, each of two right and two wrong claims.
        assert right - wrong <= 0.2 + 1e-9


def test_overlap_is_the_share_of_words() -> None:
    assert overlap(Pair("Losartan is a drug.", "A drug, not food.", "neutral", "number", "1")) == 0.5


def test_the_same_for_the_same_seed_whatever_the_order() -> None:
    known = abstracts()
    assert make_twins(known, seed=3) == make_twins(reversed(known), seed=3)
    assert make_twins(known, seed=3) != make_twins(known, seed=4)


def test_no_more_of_a_kind_than_asked_for() -> None:
    counts = Counter(pair.kind for pair in make_twins(abstracts(), most_of_a_kind=8))
    assert max(counts.values()) == 8


def test_premises_have_30_to_110_words_and_groups_are_pmids() -> None:
    pairs = made()
    assert all(30 <= len(pair.premise.split()) <= 110 for pair in pairs)
    assert {pair.group for pair in pairs} <= {abstract.pmid for abstract in abstracts()}


WORDS = st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=4, max_size=20)


@given(words=WORDS, number=st.integers(0, 999), seed=st.integers(0, 50))
def test_rewording_drops_no_number_and_nothing_kept(words: list[str], number: int, seed: int) -> None:
    sentence = capitalized(" ".join([*words, "was associated with", f"{number}%", "(mean age)", "due to rain"])) + "."
    changed = reworded(sentence, random.Random(seed), ("was associated with", "(mean age)"))
    assert f"{number}%" in changed
    assert "was associated with" in changed
    assert "(mean age)" in changed
    assert changed.endswith(".")
    assert len(changed.split()) >= len(sentence.split()) - 1
    assert "(mean age)" in shortened(sentence, random.Random(seed), ("(mean age)",))


def test_an_article_follows_its_new_word() -> None:
    changes = {reworded("This was a novel method.", random.Random(seed)) for seed in range(60)}
    assert "This was a novel approach." in changes
    assert {reworded("It was an approach.", random.Random(seed)) for seed in range(60)} == {
        "It was an approach.",
        "It was a method.",
    }


def test_shortening_drops_parentheses_and_leads_only() -> None:
    sentence = "However, we found that losartan (an old drug) works in old age."
    assert shortened("We found that losartan works (in old age) again.", random.Random(1)) in {
        "We found that losartan works (in old age) again.",
        "Losartan works (in old age) again.",
        "We found that losartan works again.",
        "Losartan works again.",
    }
    assert all("losartan" in shortened(sentence, random.Random(seed)) for seed in range(20))


@pytest.mark.parametrize(
    ("sentence", "rest"),
    [
        ("RESULTS: Nobody died.", "Nobody died."),
        ("Materials and Methods: We looked.", "We looked."),
        ("Conclusion The drug works.", "The drug works."),
        ("ResultsThe drug works.", "The drug works."),
        ("Results of both trials agree.", "Results of both trials agree."),
        ("Patients died.", "Patients died."),
    ],
)
def test_section_labels_are_left_out(sentence: str, rest: str) -> None:
    assert without_section_label(sentence) == rest


def test_abstracts_of_kept_out_questions_are_left_out(tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    parts = {"PubMedQA": {"final": ["1"], "training": ["2"]}, "BioASQ": {"calibration": ["b1"], "training": ["b2"]}}
    for sets in parts.values():
        sets.setdefault("final", [])
        sets.setdefault("calibration", [])
    split.write_text(json.dumps(parts), encoding="utf-8")
    questions = tmp_path / "questions.jsonl"
    rows = [{"id": "b1", "gold_pmids": ["3", "4"]}, {"id": "b2", "gold_pmids": ["5"]}]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    claims = tmp_path / "claims.jsonl.gz"
    with gzip.open(claims, "wt", encoding="utf-8") as file:
        file.writelines(
            json.dumps(row) + "\n" for row in [{"pmid": "6", "part": "dev"}, {"pmid": "7", "part": "train"}]
        )
    kept_out = kept_out_pmids(split, questions, claims)
    assert {"1", "3", "4", "6"} <= kept_out
    assert not {"2", "5", "7"} & kept_out

    corpus = tmp_path / "corpus.jsonl"
    articles = [{"pmid": pmid, "title": "T", "abstract": "METHODS: We looked. RESULTS: Nobody died."} for pmid in "167"]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in articles), encoding="utf-8")
    assert list(read_abstracts(corpus, kept_out)) == [Abstract("7", "T", ("We looked.", "Nobody died."))]
