"""Candidates for a short answer in a sentence, with their features."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from llama_index_medqa.answering.short_answer.answer_type import AnswerType, Kind
from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.noun_phrases import Token, noun_phrases, words_with_spans
from llama_index_medqa.text.quantities.quantity import CALENDAR_YEAR, CONFIDENCE_LEVEL, COUNT, P_VALUE, PERCENT
from llama_index_medqa.text.quantities.reading import quantities
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.text.words import stem
from llama_index_medqa.verification.entity_names import is_name, is_symbol

_MOST_WORDS = 8
_OF = re.compile(r"\s+(?:of|for)(?:\s+the)?\s+")
_IN_BRACKETS = re.compile(r"\([^()]*\)")
_ENUMERATED = re.compile(
    r"\s*(?:,|;|/|,?\s*(?:and/or|and|or|as well as|&))\s*(?:an?\s|the\s)?\s*(?:\(?[ivx\d]{1,3}\)\s*)?"
)
# How things of a kind are written. Written by judgement, and looked at on BioASQ's training questions.
_WRITTEN: Mapping[Kind, re.Pattern[str]] = MappingProxyType(
    {
        "drug": re.compile(
            r"\b\w+(?:mab|nib|ciclib|parib|lisib|degib|rsen|siran|leucel|platin|taxel|bine|mustine|trexed|relin|relix|"
            r"cillin|penem|bactam|cycline|vir|azole|pril|sartan|dipine|fibrate|vaptan|sentan|ciguat|grel|lor|xaban|"
            r"gatran|triptan|setron|pitant|racetam|azepam|zolam|barbital|lukast|profen|coxib|xicam|afil|prost|imus|"
            r"imod|caftor|stim|cept|gliptin|gliflozin|glutide|statin|olol|mycin|micin|floxacin|quine|gepant|sone|"
            r"olone|one|ine|ide|ol|ate|in|am|an|il|ir|us|el)\b(?! (?:receptor|gene|kinase))|"
            r"\b[A-Z]{2,}[- ]?\d{3,}\w*\b|\b(?:vaccine|therapy|inhibitor|antibod(?:y|ies)|acid|agonist|antagonist|"
            r"surgery|transplantation|blockers?)\b"
        ),
        "gene": re.compile(
            r"\b(?=\w*[A-Z])(?:[A-Zα-ω][A-Z\dα-ω/-]{1,}[a-zα-ω]?|[a-z]?[A-Z][A-Za-z]*\d+\w*|[a-z]{1,3}[A-Z]\w+)\b|"
            r"\b(?:proteins?|receptors?|kinases?|genes?|factors?|interleukins?|antigens?|ligands?|polymerase|\w{3,}ase|"
            r"\w{3,}in|subunit|channel|transporter|pathway|complex|mutations?|miR-\w+|lncRNAs?|tubulin)\b"
        ),
        "disease": re.compile(
            r"\b(?:syndromes?|diseases?|disorders?|cancers?|carcinomas?|tumou?rs?|infections?|deficiency|failure|injury|"
            r"lymphomas?|leuk(?:a?emia)s?|melanoma|\w+itis|\w+osis|\w+oses|\w{2,}omas?|\w+emia|\w+uria|\w+pathy|"
            r"\w+pathies|\w+plegia|\w+lepsy|\w+trophy|\w+algia|\w+ia|ataxia|autism|diabetes|asthma|stroke|migraine|"
            r"hypertension|obesity|malformations?|anomal(?:y|ies)|delay|disability|dysfunction|impairment|pain|fever|"
            r"\w+ache|rash|seizures?|palsy|defects?|disturbances?|hypotonia|lupus|psoriasis|malaria|eczema|\w+ism)\b",
            re.IGNORECASE,
        ),
        "organism": re.compile(
            r"\b[A-Z](?:\.|[a-z]+) [a-z]{3,}(?:us|um|is|ae|i|a|ens)\b|\b\w*virus(?:es)?\b|\bbacteri\w+|\b(?:mouse|mice|"
            r"human|yeast|zebrafish|drosophila|dogs?|cats?|ticks?|mosquito\w*|rats?|pigs?|chickens?)\b",
            re.IGNORECASE,
        ),
        "anatomy": re.compile(
            r"\b(?:cells?|neurons?|glands?|muscles?|cortex|membranes?|tissues?|nucle(?:us|i)|liver|kidneys?|brain|heart|"
            r"lungs?|skin|bones?|marrow|eyes?|retina|ear|cochlea|prostate|pancreas|intestin\w+|colon|stomach|bladder|"
            r"nerves?|arter(?:y|ies)|veins?|mitochondri\w+|reticulum|cytoplasm|lysosomes?|synap\w+|hypothalam\w+|lobe|"
            r"adrenal|thyroid|ovar\w+|testes|breast|placenta|spleen|blood|plasma|platelets?|\w+cytes?|\w+blasts?|ileum|"
            r"\w+phages?|tract|gyrus|amygdala|hippocampus|cerebell\w+|chromosome)\b",
            re.IGNORECASE,
        ),
        "software": re.compile(
            r"\b(?=\w*[A-Z])\w*[a-z]\w*[A-Z]\w*\b|\b[A-Z]{3,}[\w-]*\b|\b(?:tools?|packages?|databases?|server|framework|"
            r"algorithm|method|sequencing|imaging|\w+graphy|PCR|assay)\b"
        ),
        "organisation": re.compile(
            r"\b(?:Inc|Ltd|Pharma\w*|Therapeutics|Biosciences?|Laboratories|Biotech\w*|University|Institute|Agency|"
            r"Administration|Commission|FDA|EMA)\b|\b[A-Z][a-z]+ [A-Z][a-z]+\b"
        ),
    }
)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(rf"\b(?:{_MONTH} )?(?:\d{{1,2}}, )?(?:1[789]|20)\d\d\b")
# "How many beats per minute", "how many months" and "how many patients" ask for counts of whatever they name.
_NO_COUNT = (PERCENT, P_VALUE, CONFIDENCE_LEVEL, CALENDAR_YEAR)
_NOT_A_DOSE = (COUNT, PERCENT, P_VALUE, CONFIDENCE_LEVEL, CALENDAR_YEAR, "time")
_INTRODUCED = re.compile(
    r"(?:\b(?:such as|including|includes?|included|namely|e\.g\.,?|i\.e\.,?|like|consists? of|compris(?:es?|ing))|:)\s*"
    r"(?:an?\s|the\s)?$",
    re.IGNORECASE,
)
_COPULA = re.compile(
    r"\b(?:is|are|was|were|called|named|termed|known as|encodes?|as)\s+(?:an?\s|the\s|also\s|known as\s)*$",
    re.IGNORECASE,
)
_AGENT = re.compile(r"\b(?P<word>by|against)\s+(?:an?\s|the\s)?$", re.IGNORECASE)
# What names nothing by itself.
_VAGUE = frozenset(
    stem(word)
    for word in (
        "patient study result group trial case level treatment number year role effect method analysis data approach "
        "addition evidence use risk model type form activity expression association function mechanism system "
        "development process factor outcome individual subject population individuals conclusion background objective "
        "paper review report article literature knowledge presence absence information example purpose aim onset cause "
        "change increase decrease week month day age time life part site variety range set list class family member "
        "characteristic features finding response clinical human specific management author people first child adult "
        "men women healthy control baseline follow-up efficacy safety potential target gene protein drug disease mice "
        "syndrome mutation variant therapy cell tool receptor inhibitor agent molecule condition disorder symptom sign "
        "mouse"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the candidates for an answer are compared with.

    Attributes:
        question: the question.
        wanted: what it wants.
        terms: its meaningful words, by their stems.
        aliases: short and long forms that stand for names in the question, in small letters.
    """

    question: str
    wanted: AnswerType
    terms: frozenset[str]
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate for the short answer.

    Attributes:
        text: as the sentence has it.
        start: its first character in the sentence.
        end: the character after its last.
        features: what tells whether it answers.
    """

    text: str
    start: int
    end: int
    features: Mapping[str, float]


def asked(question: str, wanted: AnswerType, texts: Sequence[str] = ()) -> Asked:
    """Return what the candidates of a question are compared with.

    Args:
        question: what was asked.
        wanted: what it wants as its short answer.
        texts: in which abbreviations of names in the question may be defined.
    """
    own, aliases = terms(question), set[str]()
    for short, long in (pair for text in texts for pair in find_acronyms(text)):
        if terms(short) <= own or terms(long) <= own:
            aliases |= {short.lower(), long.lower()}
    return Asked(question, wanted, own, frozenset(aliases))


def candidates(question: Asked, sentence: str) -> list[Candidate]:
    """Return the candidates in a sentence, in its order.

    Nothing that only repeats the question, in its own words or by an abbreviation of them, is a candidate.
    """
    if question.wanted.kinds == ("long_form",):
        return list(_long_forms(question, sentence))
    if question.wanted.asks_for_number:
        return list(_numbers(question, sentence))
    return list(_names(question, sentence))


def _long_forms(question: Asked, sentence: str) -> Iterator[Candidate]:
    for short, long in find_acronyms(sentence):
        if re.search(rf"\b{re.escape(short)}s?\b", question.question):
            start = sentence.find(long)
            yield Candidate(long, start, start + len(long), {"long_form": 1.0})


def _numbers(question: Asked, sentence: str) -> Iterator[Candidate]:
    for start, end in _number_spans(question.wanted.kinds[0], sentence):
        text, before, behind = sentence[start:end], sentence[max(0, start - 60) : start], sentence[end : end + 40]
        if re.search(rf"(?<![\w.]){re.escape(text)}(?![\w])", question.question):
            continue
        counted = " ".join([text, *behind.split()[:3]])
        features = {
            "number": 1.0,
            "words_around": min(1.0, len(question.terms & terms(f"{before} {behind}")) / 4),
            "counted": float(bool(question.terms & terms(counted))),
            "words_within": len(question.terms & terms(sentence)) / max(1, len(question.terms)),
            "number_in_brackets": float(before.rstrip().endswith(("(", "="))),
        }
        yield Candidate(text, start, end, features)


def _number_spans(kind: Kind, sentence: str) -> list[tuple[int, int]]:
    """Return where a text has numbers of a kind."""
    if kind == "date":
        return [found.span() for found in _DATE.finditer(sentence)]
    return [
        (item.start, item.end) for item in quantities(sentence) if not item.implicit and _measures(kind, item.dimension)
    ]


def _measures(kind: Kind, dimension: str) -> bool:
    """Return whether a dimension fits a kind of number."""
    if kind == "count":
        return dimension not in _NO_COUNT
    if kind == "dose":
        return dimension not in _NOT_A_DOSE
    return dimension == (PERCENT if kind == "percentage" else "time")


def _names(question: Asked, sentence: str) -> Iterator[Candidate]:
    words, phrases = words_with_spans(sentence), noun_phrases(sentence)
    enumerated = _enumerated(sentence, words, phrases)
    near = [position for position, word in enumerate(words) if question.terms & terms(word.text)]
    seen = set[tuple[int, int]]()
    for number in range(len(phrases)):
        for first, last, shape in _pieces(question.wanted, sentence, words, phrases, number):
            start, end = words[first].start, words[last - 1].end
            text = sentence[start:end]
            if (
                (start, end) in seen
                or last - first > _MOST_WORDS
                or _repeats(question, text)
                or not _is_informative(text)
            ):
                continue
            seen.add((start, end))
            features = {
                **_own_features(question, text),
                **_surroundings(question.wanted, sentence, words, (first, last)),
                **_distances(near, first, last),
                f"shape_{shape}": 1.0,
                "enumerated": float(number in enumerated),
            }
            yield Candidate(text, start, end, MappingProxyType(features))


def _pieces(
    wanted: AnswerType, sentence: str, words: Sequence[Token], phrases: Sequence[tuple[int, int]], number: int
) -> Iterator[tuple[int, int, str]]:
    """Yield noun phrases and their parts as candidate spans.

    A phrase, its ends, its parts that end with a name, and what "of" joins to it, by their words.
    """
    first, last = phrases[number]
    yield first, last, "whole"
    for start in range(first + 1, last):
        yield start, last, "end"
    for start in range(first, last):
        for end in range(start + 1, last):
            if _may_end(wanted, words[end - 1].text):
                yield start, end, "name"
    if number + 1 < len(phrases):
        behind = phrases[number + 1]
        if _OF.fullmatch(sentence[words[last - 1].end : words[behind[0]].start]):
            yield first, behind[1], "joined"


def _may_end(wanted: AnswerType, word: str) -> bool:
    """Return whether an answer may end with a word.

    A name, or "receptor" where a receptor is asked for.
    """
    if is_name(word) or is_symbol(word) or (word[:1].isupper() and len(word) > 2):
        return True
    return _fits(wanted, word) or bool(wanted.noun and stem(word.lower()) == wanted.noun)


def _fits(wanted: AnswerType, text: str) -> bool:
    return any(kind in _WRITTEN and _WRITTEN[kind].search(text) for kind in wanted.kinds)


def _repeats(question: Asked, text: str) -> bool:
    own = terms(text)
    return bool(own) and (own <= question.terms or text.lower() in question.aliases)


def _is_informative(text: str) -> bool:
    """Return whether a text is more than a number or a common word."""
    own = [stem(word.text.lower()) for word in words_with_spans(text)]
    return any(len(word) > 1 and not word[0].isdigit() and word not in _VAGUE for word in own)


def _own_features(question: Asked, text: str) -> dict[str, float]:
    wanted, words, own = question.wanted, text.split(), terms(text)
    roots = [stem(word.lower()) for word in words]
    knows_kind, fits = wanted.kinds != ("any",), _fits(wanted, text)
    new = [idf(term) for term in own - question.terms]
    found = {
        "fits": float(knows_kind and fits),
        "last_fits": float(knows_kind and _fits(wanted, words[-1])),
        "unfit": float(knows_kind and not fits),
        "repeats": len(own & question.terms) / max(1, len(own)),
        "rarity": sum(new) / (8 * max(1, len(new))),
        "rarest": max(new, default=0.0) / 8,
        "words": math.log(len(words)),
        "symbol": float(any(map(is_symbol, words))),
        "name": float(any(map(is_name, words))),
        "capital": float(words[0][:1].isupper()),
        "vague": float(roots[-1] in _VAGUE),
        "noun_within": float(wanted.noun in roots),
    }
    for kind in wanted.kinds:
        found |= {f"{kind}_{name}": found[name] for name in ("symbol", "name", "words")}
    return found


def _surroundings(wanted: AnswerType, sentence: str, words: Sequence[Token], span: tuple[int, int]) -> dict[str, float]:
    first, last = span
    start, end = words[first].start, words[last - 1].end
    before, behind = sentence[max(0, start - 40) : start], sentence[end : end + 2]
    beside = [stem(words[other].text.lower()) for other in (first - 1, last) if 0 <= other < len(words)]
    agent = _AGENT.search(before)
    found = {
        "first": float(first == 0),
        "behind_copula": float(bool(_COPULA.search(before))),
        "introduced": float(bool(_INTRODUCED.search(before))),
        "in_brackets": float(before.endswith("(") and behind.startswith(")")),
        "before_brackets": float(behind == " ("),
        "noun_beside": float(bool(wanted.noun) and wanted.noun in beside),
    }
    return found | ({f"behind_{agent['word'].lower()}": 1.0} if agent else {})


def _distances(near: Sequence[int], first: int, last: int) -> dict[str, float]:
    """Return the closeness of the question's words on either side."""
    outside = [other for other in near if not first <= other < last]
    nearest = min((first - other if other < first else other - last + 1 for other in outside), default=20)
    return {
        "close": math.exp(-nearest / 5),
        "behind_question": sum(other < first for other in near) / max(1, len(near)),
    }


def _enumerated(sentence: str, words: Sequence[Token], phrases: Sequence[tuple[int, int]]) -> set[int]:
    """Return the noun phrases that are members of an enumeration."""
    members = set[int]()
    for number in range(1, len(phrases)):
        between = sentence[words[phrases[number - 1][1] - 1].end : words[phrases[number][0]].start]
        if _ENUMERATED.fullmatch(_IN_BRACKETS.sub("", between)):
            members |= {number - 1, number}
    return members
