"""The measures by name, as the command takes them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.document_ids import are_comparable, canonical_id
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.evaluation.measures.accuracy import Accuracy, Answered, ChoiceAccuracy, WordF1
from llama_index_medqa.evaluation.measures.bioasq import measures as bioasq
from llama_index_medqa.evaluation.measures.citation import CitationMeasure, CitationPrecision, CitationRecall
from llama_index_medqa.evaluation.measures.citation_support import CitedSentences, citation_measures
from llama_index_medqa.evaluation.measures.effort import Seconds, Tokens
from llama_index_medqa.evaluation.measures.evidence import RetractedEvidence
from llama_index_medqa.evaluation.measures.faithfulness import faithfulness, gold_support
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.measures.ragas import RAGAS_NAMES, ragas_measure, ragas_name
from llama_index_medqa.evaluation.measures.retrieval import Precision, Recall, nDCG, of_answers
from llama_index_medqa.evaluation.measures.terms import MedicalTerms, term_precision
from llama_index_medqa.evaluation.score import Score

_EXACT = (
    bioasq.FactoidStrict,
    bioasq.FactoidLenient,
    bioasq.FactoidMRR,
    bioasq.ListPrecision,
    bioasq.ListRecall,
    bioasq.ListF1,
)
_IDEAL = (bioasq.Rouge2, bioasq.RougeSU4)


def _always(case: EvaluationCase) -> bool:
    return True


# Measures that are taken by themselves only where a case is of their kind.
_FITS: Mapping[str, Callable[[EvaluationCase], bool]] = MappingProxyType(
    {
        ChoiceAccuracy.name: lambda case: bool(case.choices),
        **{measure.name: lambda case: bool(case.gold_items) for measure in _EXACT},
        **{measure.name: lambda case: bool(case.kind and case.gold_answers) for measure in _IDEAL},
        CitedSentences.name: lambda case: False,
    }
)
_RETRIEVAL = {measure.name.lower(): measure for measure in (nDCG, Recall, Precision)}
_CUT_OFF = re.compile(r"(\w+)@([1-9]\d*)")
_TERM_PRECISION = "TermPrecision"


def measures_of(
    names: Iterable[str] = (),
    *,
    headings: Iterable[str] = (),
    judge: Judge | None = None,
    ragas: RagasJudge | None = None,
) -> list[Measure]:
    """Return measures by name.

    Args:
        names: such as ``nDCG@10`` or ``Accuracy``; none gives all but ragas' and those of citations by a judge.
        headings: MeSH headings that ``TermPrecision`` looks for; without any it is left out of "all".
        judge: decides what is supported, for ``Faithfulness`` and ``GoldSupport``; None takes the verifier.
        ragas: asks the model of ragas' measures, which are taken by name only.

    Raises:
        InputError: a name is not known, or needs what is not given.
    """
    decides = judge or VerifierJudge()
    usual = _all(list(headings), decides)
    found = {measure.name.lower(): measure for measure in [*usual, *citation_measures(decides)]}
    return [_of_ragas(name, ragas) or _named(name, found) for name in names] or usual


def measures_for(
    cases: Sequence[EvaluationCase],
    chosen: Iterable[str | Measure] = (),
    *,
    headings: Iterable[str] = (),
    judge: Judge | None = None,
    ragas: RagasJudge | None = None,
) -> list[Measure]:
    """Return measures by name or as they are, and all that fit the cases where none is chosen.

    Args:
        cases: to be scored.
        chosen: names as :func:`measures_of` takes them, and measures.
        headings: see :func:`measures_of`.
        judge: see :func:`measures_of`.
        ragas: see :func:`measures_of`.

    Raises:
        InputError: see :func:`measures_of`.
    """
    wanted = list(chosen)
    names = [one for one in wanted if isinstance(one, str)]
    if not wanted:
        usual = measures_of(headings=headings, judge=judge, ragas=ragas)
        return [one for one in usual if any(map(_FITS.get(one.name, _always), cases))]
    named = iter(measures_of(names, headings=headings, judge=judge, ragas=ragas) if names else ())
    return [next(named) if isinstance(one, str) else one for one in wanted]


def _of_ragas(name: str, judge: RagasJudge | None) -> Measure | None:
    known = ragas_name(name)
    if known is None:
        return None
    if judge is None:
        raise InputError(f"{known} asks a language model: give measures_of a RagasJudge.")
    return ragas_measure(known, judge)


def _all(headings: Sequence[str], judge: Judge) -> list[Measure]:
    terms = [term_precision(MedicalTerms(headings))] if headings else []
    return [
        *(of_answers(measure) for measure in (nDCG @ 10, Recall @ 5, Recall, Precision)),
        *(_of_answers(measure) for measure in (CitationPrecision, CitationRecall)),
        Answered,
        Accuracy,
        WordF1,
        ChoiceAccuracy,
        *_EXACT,
        *_IDEAL,
        CitedSentences,
        faithfulness(judge),
        gold_support(judge),
        *terms,
        RetractedEvidence,
        Tokens,
        Seconds,
    ]


def _of_answers(measure: CitationMeasure) -> Measure:
    def score(case: EvaluationCase, answer: Answer) -> Score:
        if not case.gold_documents:
            return Score.not_applicable("no gold document")
        if missing := without_text(answer):
            return missing
        cited, gold = answer.cited_like(case.gold_documents), list(map(canonical_id, case.gold_documents))
        if cited is None:
            return Score.not_applicable("citations unknown")
        if not are_comparable(cited, gold):
            return Score.not_applicable("ids unknown")
        value = measure.score(cited, gold)
        return Score.not_applicable("nothing cited") if value is None else Score.of(value)

    return Measure(str(measure).title().replace(" ", ""), score)


def _named(name: str, found: dict[str, Measure]) -> Measure:
    cut_off = _CUT_OFF.fullmatch(name)
    if cut_off and cut_off.group(1).lower() in _RETRIEVAL:
        return of_answers(_RETRIEVAL[cut_off.group(1).lower()] @ int(cut_off.group(2)))
    if name.lower() in found:
        return found[name.lower()]
    if name.lower() == _TERM_PRECISION.lower():
        raise InputError(f"{_TERM_PRECISION} needs MeSH headings: give --terms, or an index whose records carry some.")
    known = [*(measure.name for measure in found.values()), *RAGAS_NAMES]
    raise InputError(f"There is no measure {name!r}: choose among {', '.join(known)}; any cutoff may follow nDCG@.")
