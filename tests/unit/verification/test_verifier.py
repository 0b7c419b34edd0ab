"""What the verifier makes of a model's chances and of the checks; expected verdicts follow from the rules in words."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args
from zlib import crc32

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verdicts import Strictness
from llama_index_medqa.verification.verifier import ClaimVerifier
from tests.unit.verification.evidence import Scripted, passage

RESULT = "Resting pulse fell by 3.5 beats per minute in those who drank tea."
CLAIM = "Drinking tea slows the resting pulse."
RECORD = f"We asked whether tea slows the resting pulse. {RESULT} No serious harm occurred."


def verified(sentence, passages, chances, **settings):
    [found] = ClaimVerifier(Scripted(chances), **settings).verify([sentence], passages)
    return found


def kinds(found):
    return [finding.kind for finding in found.findings]


def test_a_supported_sentence_is_tied_to_the_very_words():
    record = passage(RECORD)
    found = verified(CLAIM, [record], {RESULT: (0.95, 0.0)})
    assert (found.verdict, found.support) == ("supported", 0.95)
    [citation] = found.citations
    assert citation.quote == RESULT
    assert record.text[citation.start : citation.end] == RESULT
    assert citation.mark == "[PMID:7]"


def spans(words, chances, title, claim=CLAIM):
    """Quotes of the citations, where chances depend on the whole premise."""
    found = verified(claim, [passage(words, title=title)], chances)
    assert found.verdict == "supported"
    return [citation.quote for citation in found.citations]


FINDING_TITLE = "Drinking tea slows the resting pulse"


def test_the_words_are_those_that_support_without_the_title_too():
    other = "Tea was brewed for the resting pulse tests."
    chances = {
        f"{FINDING_TITLE}. {other}": (0.9, 0.0),
        f"{FINDING_TITLE}. {RESULT}": (0.85, 0.0),
        RESULT: (0.8, 0.0),
    }
    assert spans(f"{other} {RESULT}", chances, FINDING_TITLE) == [RESULT]


def test_where_only_the_title_says_it_the_title_is_quoted():
    other = "Resting pulse and tea were recorded daily."
    chances = {FINDING_TITLE: (0.9, 0.0)}
    assert spans(f"{other} No serious harm occurred.", chances, FINDING_TITLE) == [FINDING_TITLE]


def test_a_title_that_says_too_little_is_not_quoted():
    # Neither text says it alone; together they do.
    title, result = "Tea and the resting pulse", "Drinking it slows it."
    assert spans(result, {f"{title}. {result}": (0.9, 0.0)}, title, claim=CLAIM) == [result]


def test_a_title_that_only_names_a_topic_is_not_quoted():
    title, other = "Impact of tea on the resting pulse", "Resting pulse and tea were recorded daily."
    assert spans(other, {title: (0.9, 0.0)}, title) == [other]


@pytest.mark.parametrize(("by_text", "quote"), [(0.71, RESULT), (0.7, RESULT), (0.69, FINDING_TITLE)])
def test_a_title_is_quoted_only_where_the_sentences_do_not_support_without_it(by_text, quote):
    # The title alone would be surer each time.
    chances = {FINDING_TITLE: (0.9, 0.0), RESULT: (by_text, 0.0)}
    assert spans(RESULT, chances, FINDING_TITLE) == [quote]


def test_sentences_are_quoted_where_a_title_supports_as_surely():
    assert spans(RESULT, {"": (0.9, 0.0)}, FINDING_TITLE) == [RESULT]


def test_a_title_that_asks_is_not_quoted():
    title, other = "Does drinking tea slow the resting pulse?", "Resting pulse and tea were recorded daily."
    assert spans(other, {title: (0.9, 0.0)}, title) == [other]


def test_half_a_sentence_is_not_quoted_alone():
    half = "tea slows the resting pulse of all who were"
    record = passage(f"{RESULT} Drinking {half}")
    chances = {f"Tea and the heart. {RESULT} ": (0.9, 0.0), RESULT: (0.8, 0.0), half: (0.95, 0.0)}
    [citation] = verified(CLAIM, [record], chances).citations
    assert citation.quote == RESULT


@pytest.mark.parametrize(
    ("strictness", "chance", "verdict"),
    [
        ("strict", 0.9, "supported"),
        ("strict", 0.89, "unsupported"),
        ("balanced", 0.7, "supported"),
        ("balanced", 0.69, "unsupported"),
        ("open", 0.5, "supported"),
        ("open", 0.49, "unsupported"),
    ],
)
def test_each_strictness_has_its_threshold(strictness, chance, verdict):
    found = verified(CLAIM, [passage(RECORD)], {RESULT: (chance, 0.0)}, strictness=strictness)
    assert found.verdict == verdict
    assert kinds(found) == ([] if verdict == "supported" else ["not_entailed"])


def test_an_unknown_strictness_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="strictness cannot be 'lax': choose strict, balanced, open"):
        ClaimVerifier(Scripted({}), strictness="lax")


def test_a_number_that_the_text_lacks_never_passes_whatever_the_model_says():
    found = verified("Tea slows the resting pulse by 35 beats per minute.", [passage(RECORD)], {RESULT: (1.0, 0.0)})
    assert found.verdict == "unsupported"
    assert kinds(found) == ["quantity"]


@pytest.mark.parametrize(
    ("lowest", "support"),
    # Three tenths of the model's chance, and nine tenths of the lowest threshold where that is less.
    [(0.5, 0.24), (0.2, 0.9 * 0.2 * 0.8), (0.0, 0.0)],
)
def test_a_failed_check_leaves_a_share_of_the_support_below_every_threshold(lowest, support):
    model = Scripted({RESULT: (0.8, 0.0)})
    model.thresholds = {**model.thresholds, "open": lowest}
    [found] = ClaimVerifier(model).verify(["Tea slows the resting pulse by 35 beats per minute."], [passage(RECORD)])
    assert (found.verdict, found.support) == ("unsupported", pytest.approx(support))


def test_the_share_of_a_failed_check_never_hides_a_surer_window_without_one():
    passages = [passage(RECORD), passage("The resting pulse of tea drinkers was slower by 9 beats.", "8")]
    found = verified(f"{CLAIM[:-1]} by 9 beats.", passages, {RESULT: (1.0, 0.0), "by 9 beats": (0.71, 0.0)})
    assert (found.verdict, found.support) == ("supported", 0.71)


SUITE = Path(__file__).parents[3] / "benchmarks" / "gates" / "suite"


class Chance(Scripted):
    """Says of every pair something else, always the same."""

    def _of(self, premise, claim):
        supported = crc32(f"{premise} {claim}".encode()) % 1001 / 1000
        return Entailment(supported, (1 - supported) / 2, (1 - supported) / 2)


def test_no_verdict_rests_on_what_a_failed_check_leaves(monkeypatch):
    records = [json.loads(line) for line in (SUITE / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    cases = [json.loads(line) for line in (SUITE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    passages = [
        passage(" ".join(part["text"] for part in record["sections"]), str(number), record["title"])
        for number, record in enumerate(records[:4])
    ]
    # Every answer as it is, with other numbers, and with a drug more.
    claims = [
        claim
        for case in cases[:8]
        for claim in (
            case["gold_answer"],
            re.sub(r"\d", lambda digit: str(9 - int(digit[0])), case["gold_answer"]),
            f"Metoprolol and {case['gold_answer']}",
        )
    ]
    verifiers = [ClaimVerifier(Chance({}), strictness) for strictness in get_args(Strictness)]
    verdicts = [verifier.verify(claims, passages) for verifier in verifiers]
    monkeypatch.setattr("llama_index_medqa.verification.verifier._LEFT_BY_A_FAILED_CHECK", 0.0)
    for verifier, found in zip(verifiers, verdicts, strict=True):
        without = verifier.verify(claims, passages)
        assert [replace(one, support=0.0) for one in found] == [replace(one, support=0.0) for one in without]
        assert [one.support for one in found if one.supported] == [one.support for one in without if one.supported]
        assert any(one.support > other.support for one, other in zip(found, without, strict=True))


def test_a_drug_that_the_text_lacks_never_passes_whatever_the_model_says():
    found = verified("Metoprolol and tea slow the resting pulse.", [passage(RECORD)], {RESULT: (1.0, 0.0)})
    assert (found.verdict, kinds(found)) == ("unsupported", ["entity"])


def test_a_record_that_contradicts_more_surely_than_it_supports_does_not_support():
    found = verified(CLAIM, [passage(RECORD)], {RESULT: (0.45, 0.55)}, strictness="open")
    assert (found.verdict, found.citations) == ("unsupported", ())


def test_contradiction_is_told_only_where_it_is_sure():
    contrary = passage("Tea did not slow the resting pulse.", "8")
    sure = verified(CLAIM, [contrary], {"did not slow": (0.0, 0.8)})
    assert (sure.verdict, sure.opposing[0].quote) == ("contradicted", "Tea did not slow the resting pulse.")
    unsure = verified(CLAIM, [contrary], {"did not slow": (0.0, 0.79)})
    assert (unsure.verdict, unsure.opposing) == ("unsupported", ())


def test_papers_that_disagree_are_both_shown():
    found = verified(
        CLAIM,
        [passage(RECORD), passage("Tea did not slow the resting pulse.", "8")],
        {RESULT: (0.9, 0.0), "did not slow": (0.0, 0.9)},
    )
    assert found.verdict == "supported"
    assert [citation.pmid for citation in found.citations] == ["7"]
    assert [citation.pmid for citation in found.opposing] == ["8"]


def test_a_copy_needs_no_model_but_a_copied_question_supports_nothing():
    model = Scripted({})
    [copied] = ClaimVerifier(model).verify([RESULT], [passage(RECORD)])
    assert (copied.verdict, copied.support, model.asked) == ("supported", 1.0, [])
    found = verified("Does tea slow the resting pulse?", [passage("Does tea slow the resting pulse? It may.")], {})
    assert (found.verdict, kinds(found)) == ("unsupported", ["no_claim"])


@pytest.mark.parametrize("sentence", ["Yes.", "No,", "[PMID:7]", "The study found that "])
def test_what_states_nothing_is_not_supported(sentence):
    assert kinds(verified(sentence, [passage(RECORD)], {"": (1.0, 0.0)}))[0] == "no_claim"


def test_yes_is_read_as_the_statement_that_follows_it():
    model = Scripted({RESULT: (0.95, 0.0)})
    [found] = ClaimVerifier(model).verify([f"Yes, {CLAIM[0].lower()}{CLAIM[1:]}"], [passage(RECORD)])
    assert {claim for _, claim in model.asked} == {CLAIM}
    assert found.text == "Yes, drinking tea slows the resting pulse."


def test_clauses_may_rest_on_different_papers():
    pulse, sleep = "Tea slowed the pulse of adults.", "Coffee has shortened the sleep of adults."
    claim = "Tea slowed the pulse, and coffee has shortened the sleep."
    chances = {
        pulse: {claim: (0.3, 0.0), "Tea slowed the pulse.": (0.9, 0.0), "coffee has shortened the sleep.": (0.0, 0.0)},
        sleep: {claim: (0.3, 0.0), "Tea slowed the pulse.": (0.0, 0.0), "coffee has shortened the sleep.": (0.8, 0.0)},
    }
    papers = [passage(pulse, "1", ""), passage(sleep, "2", "")]
    found = verified(claim, papers, chances)
    assert (found.verdict, found.support) == ("supported", 0.8)
    assert [(citation.pmid, citation.quote) for citation in found.citations] == [("1", pulse), ("2", sleep)]
    assert verified(claim, papers[:1], chances).verdict == "unsupported"


def test_a_true_half_does_not_carry_a_second_one():
    text = "Tea slowed the pulse of adults, and liver damage was looked for."
    claim = "Tea slowed the pulse, and it caused liver damage."
    first, second = "Tea slowed the pulse.", "it caused liver damage."
    said = {text: {claim: (0.9, 0.0), first: (0.9, 0.0), second: (0.5, 0.0)}}
    assert verified(claim, [passage(text)], said).verdict == "supported"
    unsaid = {text: {claim: (0.9, 0.0), first: (0.9, 0.0), second: (0.49, 0.0)}}
    found = verified(claim, [passage(text)], unsaid)
    assert (found.verdict, kinds(found)) == ("unsupported", ["not_entailed"])


def test_a_copied_conclusion_may_lack_its_heading():
    found = verified("Tea slows the pulse.", [passage("We gave tea. CONCLUSION: Tea slows the pulse.")], {})
    assert (found.verdict, found.support) == ("supported", 1.0)


def test_a_quotation_must_stand_in_the_record_word_for_word():
    claim = 'Tea "slows the resting pulse" of those who drink it.'
    chances = {RESULT: (0.95, 0.0)}
    assert verified(claim, [passage(RECORD)], chances).verdict == "supported"
    altered = verified('Tea "stops the resting pulse" of those who drink it.', [passage(RECORD)], chances)
    assert (altered.verdict, kinds(altered)) == ("unsupported", ["quote"])


def test_the_models_own_marks_are_held_against_what_was_found():
    other = passage("Coffee was not studied here at all.", "8", "Coffee")
    found = verified(f"{CLAIM} [PMID:8][PMID:9]", [passage(RECORD), other], {RESULT: (0.95, 0.0)})
    assert found.verdict == "supported"
    assert [(one.kind, one.detail) for one in found.findings] == [
        ("wrong_mark", "PMID:8 does not say this"),
        ("unknown_mark", "PMID:9 was not retrieved"),
    ]


def test_records_that_are_nearly_as_sure_are_cited_too_the_surest_first():
    papers = [passage(f"Tea slowed the resting pulse in cohort {letter}.", str(n)) for n, letter in enumerate("ABC")]
    chances = {"cohort A": (0.85, 0.0), "cohort B": (0.94, 0.0), "cohort C": (0.8, 0.0)}
    found = verified(CLAIM, papers, chances)
    assert [citation.pmid for citation in found.citations] == ["1", "0"]
    named = verified(f"{CLAIM} [PMID:2]", papers, chances)
    assert [citation.pmid for citation in named.citations] == ["1", "0", "2"]


def test_nothing_near_is_told_as_such():
    found = verified(CLAIM, [passage("Fractures of the wrist heal.", "9", "Wrists")], {"": (1.0, 0.0)})
    assert (found.verdict, kinds(found)) == ("unsupported", ["no_evidence"])
    assert verified(CLAIM, [], {}).verdict == "unsupported"


def test_the_identity_names_model_checks_and_strictness():
    identity = ClaimVerifier(Scripted({}), strictness="open").identity
    assert identity == {"verifier": "scripted", "checks": 8, "strictness": "open"}


async def test_verifying_does_not_block_the_event_loop():
    verifier = ClaimVerifier(Scripted({RESULT: (0.95, 0.0)}))
    assert await verifier.averify([CLAIM], [passage(RECORD)]) == verifier.verify([CLAIM], [passage(RECORD)])


def test_three_records_are_cited_at_most():
    papers = [passage(f"Tea slowed the resting pulse in cohort {letter}.", str(n)) for n, letter in enumerate("ABCD")]
    found = verified(CLAIM, papers, {f"cohort {letter}": (0.9, 0.0) for letter in "ABCD"})
    assert len(found.citations) == 3


def test_the_support_of_what_nothing_speaks_of_is_nought():
    assert verified(CLAIM, [passage("Fractures of the wrist heal.", "9", "Wrists")], {}).support == 0.0


def test_sentences_that_follow_one_another_are_cited_as_one_stretch_and_others_apart():
    together = "Adults drank tea daily. Their resting pulse slowed by a little."
    text = f"{together} Does coffee slow the resting pulse? Drinking was safe for the pulse."
    found = verified(CLAIM, [passage(text, title="")], {f"{together} Drinking": (0.9, 0.0)})
    assert [citation.quote for citation in found.citations] == [together, "Drinking was safe for the pulse."]


def test_an_item_that_is_added_to_a_list_is_not_supported():
    record = passage(RECORD)
    said = "Drinking tea slows the resting pulse and harm."
    added = "Drinking tea slows the resting pulse and fatigue."
    assert verified(said, [record], {RESULT: (0.95, 0.0)}).verdict == "supported"
    found = verified(added, [record], {RESULT: (0.95, 0.0)})
    assert (found.verdict, kinds(found)) == ("unsupported", ["entity"])
    assert "'fatigue'" in found.findings[0].detail
