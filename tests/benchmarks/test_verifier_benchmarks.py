"""The verifier's benchmarks: planted errors, mutants and figures; expected values are written or counted by hand."""

import json
import random
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common import provenance
from benchmarks.verification import planted_edits
from benchmarks.verification.labelled_sets import LabelledClaim, drawn, passage, read_rows
from benchmarks.verification.measured_model import KeptJudgements
from benchmarks.verification.mutants import mutants_of
from benchmarks.verification.mutation_runs import call_tests
from benchmarks.verification.mutations import MutantRun, modules, read_journal, report, tasks
from benchmarks.verification.planted_edits import EDITS, aim_as_finding, is_reworded, reworded
from benchmarks.verification.planted_errors import Planted, Planter, PoolAbstract, is_caught, is_kept, measure, wilson
from benchmarks.verification.public_sets import (
    claim_only,
    measure_set,
    recall_at_precision,
    share,
    verified,
    weighed_overlap,
    with_kept,
)
from benchmarks.verification.speed import every_window
from llama_index_medqa.evaluation.judges.calibration import calibration_error
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification import windows
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding
from llama_index_medqa.verification.verifier import ClaimVerifier

ABSTRACT = (
    "Pain was lower in women than in men after surgery. Of 40 women, 30% slept badly; of 50 men 45% did. "
    "Metoprolol 50 mg reduced pain in mice. BRCA1 was associated with asthma among women."
)


@pytest.mark.parametrize(
    ("kind", "sentence", "spoilt"),
    [
        ("swap of sides", "Pain was lower in women than in men.", "Pain was lower in men than in women."),
        (
            "swap of sides",
            "Green tea reduced pain more than black coffee.",
            "Black coffee reduced pain more than green tea.",
        ),
        ("direction", "An increased risk was seen.", "A decreased risk was seen."),
        ("negation", "Pain was reduced by tea.", "Pain was not reduced by tea."),
        ("negation", "Tea did not reduce pain.", "Tea did reduce pain."),
        ("rate", "It was 30% in women, 45% in men.", "It was 45% in women, 30% in men."),
        ("cause", "Tea was strongly associated with calm.", "Tea caused calm."),
        ("cause", "Genes are correlated with pain.", "Genes cause pain."),
    ],
)
def test_an_edit_makes_the_error_that_it_is_called_by(kind, sentence, spoilt):
    assert EDITS[kind](sentence, sentence, random.Random(1)) == spoilt


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("swap of sides", "Pain was lower in women than in those without pain."),
        ("direction", "Pain was seen in women."),
        ("negation", "Neither tea nor coffee was tried."),
        ("number", "The interval was 95%."),
        ("rate", "It was 30% (95% CI 20 to 45%)."),
        ("unit", "It rose by 30 points."),
        ("other drug", "The medicine was given at baseline."),
        ("other gene or disease", "The heart was examined."),
        ("subgroup", "Pain was lower in women than in men."),
        ("cause", "Tea was not associated with calm."),
        ("population", "Pain was lower in women."),
        ("certainty", "Tea reduces pain."),
    ],
)
def test_an_edit_leaves_a_sentence_alone_that_gives_no_occasion(kind, sentence):
    assert EDITS[kind](sentence, sentence, random.Random(1)) is None


@given(st.integers(0, 1_000))
def test_what_is_put_in_the_place_of_a_name_number_or_unit_is_not_in_the_abstract(seed):
    chance = random.Random(seed)
    number = planted_edits.number("Of 40 women, 30 slept.", ABSTRACT, chance)
    assert [word.strip(",") for word in number.split()] != ["Of", "40", "women", "30", "slept."]
    changed = [new for new, old in zip(number.split(), "Of 40 women, 30 slept.".split(), strict=True) if new != old]
    assert len(changed) == 1
    assert changed[0] not in ABSTRACT.split()
    drug = planted_edits.drug("Metoprolol and metoprolol reduced pain.", ABSTRACT, chance)
    assert "and metoprolol" not in drug
    assert drug.split()[2] not in ABSTRACT.lower()
    assert planted_edits.unit("Metoprolol 50 mg reduced pain.", ABSTRACT, chance) == "Metoprolol 50 g reduced pain."
    named = planted_edits.gene_or_disease("BRCA1 was seen.", ABSTRACT, chance).split()[0]
    assert named in planted_edits.GENES
    assert named != "BRCA1"


def test_a_subgroup_is_told_of_all_only_where_the_abstract_speaks_of_others():
    sentence = "Asthma was common among women."
    spoilt = {planted_edits.subgroup(sentence, ABSTRACT, random.Random(seed)) for seed in range(20)}
    assert spoilt == {"Asthma was common in all participants.", "Asthma was common in both women and men."}
    assert planted_edits.subgroup(sentence, "Asthma in women.", random.Random(1)) is None


def test_animals_become_people_only_where_the_abstract_speaks_of_none():
    spoilt = planted_edits.population("Pain fell in mice.", "Pain fell in mice.", random.Random(1))
    assert spoilt in {"Pain fell in patients.", "Pain fell in people."}
    assert planted_edits.population("Pain fell in mice.", ABSTRACT, random.Random(1)) is None


@pytest.mark.parametrize(
    ("aim", "finding"),
    [
        ("We wanted to determine whether tea lowers the heart rate.", "Tea lowers the heart rate."),
        ("OBJECTIVE To evaluate the effect of tea on sleep.", "Tea has an effect on sleep."),
        ("To assess the effects of statins on sleep.", "Statins have an effect on sleep."),
        ("Tea lowers the heart rate.", None),
    ],
)
def test_an_aim_is_told_as_a_finding(aim, finding):
    assert aim_as_finding(aim) == finding


def test_a_sentence_is_reworded_without_another_meaning():
    sentence = "CONCLUSIONS Our results show that tea utilized daily (in cups) was associated with calm."
    assert reworded(sentence) == "Tea used daily was linked to calm."
    assert reworded("In women, tea reduced pain.") == "Tea reduced pain in women."
    assert is_reworded(sentence)
    assert not is_reworded("Tea (green) reduced pain.")


WORDS = (
    "Pain|was|lower|in|women|than|in|men|40|mg|30%|45%|increased|may|is|associated with|mice|BRCA1|metoprolol|,|not|tea"
).split("|")


@given(st.lists(st.sampled_from(WORDS), min_size=4, max_size=14).map(" ".join), st.integers(0, 50))
def test_an_edit_changes_what_it_returns(words, seed):
    sentence = f"{words}."
    for kind, edit in EDITS.items():
        assert edit(sentence, sentence, random.Random(seed)) != sentence, kind


def pool():
    words = "Doses of metoprolol utilized for {n} days reduced mortality in patients with heart failure in a clinic."
    return [PoolAbstract(str(n), f"Trial {n} of metoprolol.", words.format(n=n)) for n in range(100, 130)]


def test_planted_errors_come_with_a_true_twin_beside_the_same_text():
    errors = list(Planter(pool(), each=5).planted())
    by_kind = {kind: [error for error in errors if error.kind == kind] for kind in {error.kind for error in errors}}
    assert {"number", "unit", "other drug", "direction", "altered quote", "wrong PMID", "injection"} <= by_kind.keys()
    for error in errors:
        assert error.twin != error.wrong
        assert len(error.passages) == 6
        assert error.right in {one.document_id for one in error.passages}
    for error in by_kind["wrong PMID"]:
        assert error.twin.endswith(f"[{error.right}].")
        assert error.wrong.endswith(f"[PMID:{error.wrong_pmid}].")
        assert error.right != f"PMID:{error.wrong_pmid}"
    for error in by_kind["injection"]:
        [steered] = [one for one in error.passages if one.document_id == error.right]
        assert error.wrong in steered.text
    for error in by_kind["altered quote"]:
        [source] = [one for one in error.passages if one.document_id == error.right]
        assert error.twin.split("“")[1].split("”")[0] in source.text
        assert error.wrong.split("“")[1].split("”")[0] not in source.text
    assert [error.wrong for error in errors] == [error.wrong for error in Planter(pool(), each=5).planted()]


def cited(pmid, *findings):
    citation = Citation(f"PMID:{pmid}", str(pmid), "", 0, 1, "x")
    return AnswerSentence("x", "supported", 0.9, (citation,), (), findings)


def test_what_is_caught_and_kept():
    error = Planted("number", "twin", "wrong", (), "PMID:1")
    assert is_caught(error, AnswerSentence("wrong"))
    assert not is_caught(error, cited(1))
    assert is_kept(error, cited(1))
    assert not is_kept(error, cited(2))
    marked = Planted("wrong PMID", "twin", "wrong", (), "PMID:1", wrong_pmid="7")
    told = Finding("wrong_mark", "PMID:7 does not say this")
    assert is_caught(marked, cited(1, told))
    assert not is_caught(marked, cited(1))
    assert not is_caught(marked, cited(7, told))
    rows = measure([error, error], lambda claim, passages: cited(1) if claim == "twin" else AnswerSentence(claim))
    assert (rows["number"]["caught"][0], rows["number"]["twins_kept"][0], rows["number"]["cases"]) == (1.0, 1.0, 2)


@pytest.mark.parametrize(("hits", "cases"), [(0, 40), (38, 40), (40, 40), (7, 240)])
def test_wilson_s_interval(hits, cases):
    scipy_stats = pytest.importorskip("scipy.stats")
    expected = scipy_stats.binomtest(hits, cases).proportion_ci(method="wilson")
    value, low, high = wilson(hits, cases)
    assert value == pytest.approx(hits / cases, abs=1e-4)
    assert (low, high) == (pytest.approx(expected.low, abs=2e-4), pytest.approx(expected.high, abs=2e-4))


def test_recall_at_precision_by_hand():
    def recall(scores, supported):
        return recall_at_precision(np.array(scores), np.array(supported), np.ones(len(scores)))

    # 19 of the first 20 are supported (.95); one more supported claim stands below the next wrong one.
    scores = [1 - number / 100 for number in range(22)]
    supported = [number != 5 for number in range(20)] + [False, True]
    assert recall(scores, supported) == pytest.approx(19 / 20)
    assert recall([0.9, 0.8], [False, True]) == 0.0
    assert recall([0.5, 0.5], [False, True]) == 0.0
    assert recall([0.9, 0.5], [True, False]) == 1.0
    assert np.isnan(recall([0.9], [False]))


def test_calibration_error_by_hand():
    # Bin 0.9: mean score .95, all right; bin 0.1: mean score .15, one of two right.
    scores, right = np.array([0.95, 0.95, 0.1, 0.2 - 1e-9]), np.array([True, True, True, False])
    assert calibration_error(scores, right, np.ones(4)) == pytest.approx((2 * 0.05 + 2 * 0.35) / 4)


def claims():
    text = passage("Green tea lowered the heart rate. Coffee raised it.", "A trial of tea.")
    labels = {
        "Green tea lowered the heart rate in adults.": "supported",
        "Green tea raised the heart rate.": "refuted",
        "Green tea cures gout.": "neutral",
    }
    return [LabelledClaim(claim, (text,), label, label, "tea") for claim, label in labels.items()]


def judge_tea(premise, claim):
    return Entailment(0.8, 0.2, 0.0) if "lowered" in claim and premise else Entailment(0.1, 0.0, 0.9)


def test_a_set_is_measured_by_verdict_support_and_what_takes_no_verifier():
    found = measure_set(claims(), KeptJudgements(ScriptedEntailment(judge_tea)))
    assert found["claims"] == {"supported": 1, "refuted": 1, "neutral": 1}
    assert found["rows"]["verifier"]["auroc"][0] == 1.0
    assert found["rows"]["verifier"]["balanced_accuracy"][0] == 1.0
    assert found["rows"]["claim only"]["auroc"][0] == 0.5
    shares = found["passing"]["tea (supported)"]
    assert [shares[level]["mean"] for level in ("strict", "balanced", "open")] == [0.0, 1.0, 1.0]
    assert found["verdicts"]["supported"] == {"supported": 1}
    assert found["verdicts"]["refuted"] == {"contradicted": 1}


def test_a_claim_passes_where_each_of_its_sentences_does():
    both = "Green tea lowered the heart rate in adults. Green tea raised the heart rate."
    [one] = verified([LabelledClaim(both, claims()[0].passages, "refuted", "g")], ScriptedEntailment(judge_tea))
    assert not one.passes("open")
    assert one.verdict == "contradicted"
    assert one.support == pytest.approx(0.45)


def test_overlap_and_claim_only():
    [first, _, gout] = claims()
    assert weighed_overlap(gout) < weighed_overlap(first) < 1.0
    model = ScriptedEntailment(lambda premise, claim: Entailment(0.25, 0.75, 0.0))
    assert claim_only([first], model) == [0.25]
    assert [premise for premise, _ in model.pairs] == [""]


def test_judgements_are_kept():
    model = ScriptedEntailment()
    kept = KeptJudgements(model)
    assert kept.judge([("a", "b"), ("a", "b"), ("c", "d")]) == kept.judge([("a", "b"), ("a", "b"), ("c", "d")])
    assert model.pairs == [("a", "b"), ("c", "d")]


def test_judgements_of_the_same_model_are_read_back(tmp_path):
    journal = tmp_path / "judgements.jsonl"
    pairs = [("a\u2028premise", "b"), ("c", "d")]
    first = KeptJudgements(ScriptedEntailment(), journal).judge(pairs)
    with journal.open("a") as stream:
        stream.write('{"model": "bro')
    again, other = ScriptedEntailment(), ScriptedEntailment()
    other.identity = {"verifier": "another"}
    assert KeptJudgements(again, journal).judge(pairs) == first
    assert KeptJudgements(other, journal).judge(pairs) == first
    assert (again.pairs, other.pairs) == ([], pairs)


def test_claims_are_drawn_once_and_for_all():
    some = [LabelledClaim(str(number), (), "supported", "g") for number in range(50)]
    assert drawn(some, 10) == drawn(some, 10)
    assert len({claim.claim for claim in drawn(some, 10)}) == 10
    assert drawn(some, None) == drawn(some, 99) == some


def test_a_share_is_drawn_by_groups():
    alone = share([True, False] * 20, [str(number) for number in range(40)])
    together = share([True] * 20 + [False] * 20, ["a"] * 20 + ["b"] * 20)
    assert alone["mean"] == together["mean"] == 0.5
    assert together["high"] - together["low"] == 1.0 > alone["high"] - alone["low"]


def test_every_window_is_read_and_then_fewer_again():
    text = passage(
        " ".join(f"Green tea of kind {number} lowered the heart rate {'much ' * 40}." for number in range(9))
    )
    few = windows.windows_of("Green tea lowered the heart rate.", text)
    with every_window():
        everything = windows.windows_of("Green tea lowered the heart rate.", text)
    assert len(everything) > len(few) == len(windows.windows_of("Green tea lowered the heart rate.", text))


SOURCE = '''"""A module of 3 rules."""
LEAST = 0.4
UNITS = {"µg": 1e-6, "day": 86_400}


@lru_cache(maxsize=50)
def passes(value, other):
    """Tell whether it passes."""
    return not (value < LEAST or value is None) and other in UNITS and re.compile("a").match(value)
'''


def test_mutants_are_counted_by_hand():
    found = [(mutant.kind, mutant.before, mutant.after) for mutant in mutants_of(SOURCE)]
    assert sorted(found) == sorted(
        [
            ("number", "0.4", repr(0.4 * 1.5)),
            ("number", "1e-6", repr(1e-6 * 1.5)),
            ("number", "86_400", "86401"),
            ("boolean", "not ", ""),
            ("comparison", "<", ">="),
            ("boolean", "or", "and"),
            ("comparison", "is", "is not"),
            ("boolean", "and", "or"),
            ("boolean", "and", "or"),
            ("comparison", "in", "not in"),
            ("rule", '"a"', 'r"(?!)"'),
        ]
    )


def test_each_mutant_changes_one_place_of_its_line():
    for mutant in mutants_of(SOURCE):
        changed = mutant.applied(SOURCE)
        compile(changed, "mutant", "exec")
        differing = [
            number
            for number, (old, new) in enumerate(zip(SOURCE.splitlines(), changed.splitlines(), strict=True), start=1)
            if old != new
        ]
        assert differing == [mutant.line(SOURCE)]


def test_the_modules_that_are_broken_are_there_and_every_mutant_of_them_can_be_read():
    assert {"verification.verifier", "verification.windows", "text.quantities.units", "text.quantities.reading"} <= set(
        modules()
    )
    for task in tasks(["verification.windows"], None):
        compile(task.mutant.applied((provenance.ROOT / task.file).read_text()), task.file, "exec")
    assert tasks(modules(), 5) == tasks(modules(), 5)


def module_of_tests():
    """Give a module with tests of each kind that :func:`call_tests` tells apart, and what was called."""
    module, called = ModuleType("module_of_tests"), []

    @pytest.mark.parametrize("a", [1, 2])
    @pytest.mark.parametrize(("b", "c"), [(3, 4), pytest.param(5, 6)])
    def cases(a, b, c):
        called.append((a, b, c))

    module.test_plain = lambda: called.append("plain")
    module.test_cases = cases
    module.test_fixture = lambda tmp_path: called.append("fixture")
    return module, called


def test_tests_without_fixtures_are_called_case_by_case():
    module, called = module_of_tests()
    assert call_tests(module) == ["test_fixture"]
    assert sorted(called, key=str) == [(1, 3, 4), (1, 5, 6), (2, 3, 4), (2, 5, 6), "plain"]
    module.test_wrong = lambda: pytest.fail("wrong")
    with pytest.raises(pytest.fail.Exception):
        call_tests(module)


def test_survivors_are_told_with_the_reason_why_they_stay(tmp_path):
    first, second = mutants_of("A = 1\nB = 2\n")
    chosen = [
        MutantRun("m", first, 1, "A = 1", "s"),
        MutantRun("m", second, 2, "B = 2", "s"),
        MutantRun("n", first, 1, "A = 1", "s"),
    ]
    journal = tmp_path / "journal.jsonl"
    rows = [{"key": chosen[0].key, "noticed": True}, {"key": chosen[1].key, "noticed": False}]
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"key": "bro')
    known = [{"module": "m", "text": "B = 2", "before": "2", "after": "3", "reason": "It decides no result."}]
    found = report(chosen, read_journal(journal), known)
    assert found["noticed"] == {"all": 0.5, "m": 0.5, "number": 0.5}
    assert (found["mutants"], found["not_run"]) == (2, 1)
    [survivor] = found["survivors"]
    assert (survivor["line"], survivor["before"], survivor["reason"]) == (2, "2", "It decides no result.")


def test_rows_are_read_packed_or_not(tmp_path):
    import gzip

    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_text('{"a": "x\u2028y"}\n')
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_rows(plain)) == list(read_rows(packed)) == [{"a": "x\u2028y"}]


@pytest.mark.parametrize(
    ("script", "module"),
    [
        ("benchmarks/answering/answer_quality.py", "benchmarks.answering.answer_quality"),
        ("benchmarks/verification/speed.py", "benchmarks.verification.speed"),
        ("elsewhere/tool.py", "tool"),
    ],
)
def test_the_command_names_the_module(script, module, tmp_path):
    assert provenance._module(tmp_path / script) == module


def test_a_verifier_is_measured_with_another_model():
    assert ClaimVerifier(KeptJudgements(ScriptedEntailment())).identity["verifier"] == "scripted"


def test_sets_that_are_not_measured_again_stay_as_the_file_has_them(tmp_path):
    file = tmp_path / "public_sets.json"
    assert with_kept({"B": 2}, file, ["A", "B"]) == {"B": 2}
    file.write_text(json.dumps({"sets": {"B": 1, "A": 1}}), encoding="utf-8")
    assert list(with_kept({"B": 2}, file, ["A", "B", "C"]).items()) == [("A", 1), ("B", 2)]
