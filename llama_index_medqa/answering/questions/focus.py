"""The aspect that a question asks about (treatment, frequency, …), and the form of its answer."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple

from llama_index_medqa.answering.questions.quotation_marks import unquoted

Aspect = Literal[
    "treatment",
    "prevention",
    "cause",
    "risk",
    "frequency",
    "mechanism",
    "diagnosis",
    "symptom",
    "prognosis",
    "safety",
    "dose",
    "comparison",
    "definition",
]
Form = Literal["yes_no", "list", "comparison", "description"]


class _Cues(NamedTuple):
    """The cues by which an aspect is recognised.

    Attributes:
        asked: found in a question that asks about it.
        answered: found in a sentence that tells about it.
    """

    asked: re.Pattern[str]
    answered: re.Pattern[str]


def _cues(asked: str, answered: str) -> _Cues:
    return _Cues(re.compile(rf"(?:^|\b)(?:{asked})", re.IGNORECASE), re.compile(rf"\b(?:{answered})", re.IGNORECASE))


_RATE = (
    r"prevalen\w+|inciden\w+|frequen\w+|\w+ rates?\b|per (?:cent|100|1,?000|10,?000|100,?000|million)\b|one in \w+|"
    r"1 in \d+|\d[\d.,]*\s?/\s?1\d{2,}|\d[\d.,]*\s?%|common\b|rare\b"
)
_AMOUNT = (
    r"dos(?:e|es|ed|age|ages|ing)\b|\d[\d.,]*\s?(?:m|µ|μ|mc|n|k)?g\b|\d[\d.,]*\s?(?:IU|U|units?|ml|mL|Gy)\b|"
    r"(?:once|twice|three times|times) (?:a |per |each )?(?:day|daily|week|weekly)|daily\b|weekly\b"
)

# Written by judgement, and looked at on BioASQ's training questions: they find four of five of its lists, and of what
# they take for a list one in fourteen is none.
_CUES: Mapping[Aspect, _Cues] = MappingProxyType(
    {
        "treatment": _cues(
            r"treat(?:s|ed|ing|ments?|able)?\b|therap(?:y|ies|eutics?)\b|manag(?:e|ed|ing|ement)\b|cures?\b|cured\b|"
            r"medications?\b|remed(?:y|ies)\b|first[- ]line\b|tx\b|rx\b|indicat(?:ed|ions?) (?:for|of)\b|"
            r"drugs? (?:for|against|of choice|(?:is|are) used)|alleviat\w+|approved for\b|used for\b",
            r"treat\w*|therap\w*|manag\w*|administ\w*|cure[sd]?\b|surg\w*|operati\w*|resect\w*|transplant\w*|"
            r"medicat\w*|drugs?\b|inhibitors?\b|antagonists?\b|agonists?\b|antibod\w*|approved\b|indicated\b|"
            r"respon[ds]\w*|remission\w*|efficac\w*|effective\w*|recommend\w*|injection\w*|infusion\w*|vaccin\w*",
        ),
        "prevention": _cues(
            r"prevent\w*|prophyla\w*|avoid\w*|protect\w*",
            r"prevent\w*|prophyla\w*|protect\w*|avoid\w*|vaccin\w*|screening\b|reduc\w+ (?:the )?(?:risk|incidence)",
        ),
        "cause": _cues(
            r"caus(?:e|es|ed|ing|ative)\b|aetiolog\w+|etiolog\w+|pathogen(?:s|esis)?\b|responsible for\b|leads? to\b|"
            r"due to\b|trigger\w*|origins?\b|result(?:s|ing)? (?:from|in)\b|why\b|involved in\b|"
            r"mutat\w+|gen(?:e|es|etic) (?:basis|cause|for|of|is|are|associated)",
            r"caus\w+|aetiolog\w+|etiolog\w+|pathogen\w*|due to\b|leads? to\b|led to\b|trigger\w*|induc\w+|"
            r"result(?:s|ed|ing)? (?:from|in)\b|attribut\w+|mutat\w+|variants?\b|responsible\b|underl\w+|because\b|"
            r"deficien\w+|infect\w+",
        ),
        "risk": _cues(
            r"risks?\b|predispos\w+|risk[- ]factors?\b|factors?\b|associated with\b|predict\w*|susceptib\w+|"
            r"(?:increase|raise|affect|influence)s? the (?:risk|chance)",
            r"risks?\b|odds\b|hazard\w*|predispos\w+|associat\w+|predict\w*|susceptib\w+|likel(?:y|ihood)\b|"
            r"factors?\b|OR\s?[=:]|HR\s?[=:]|RR\s?[=:]|95\s?% ?CI|correlat\w+",
        ),
        "frequency": _cues(
            r"prevalen\w+|inciden(?:ce|t)\b|frequen(?:cy|t|tly)\b|how (?:common|often|frequent|rare|many|prevalent)\b|"
            r"what (?:percentage|proportion|share|number)\b|rates? of\b|epidemiolog\w+|most common\b",
            _RATE,
        ),
        "mechanism": _cues(
            r"mechanis\w+|mode of action|"
            r"how (?:do|does|is|are|can) (?!.*\b(?:treated|diagnosed|managed|defined|present|occur)\b)|"
            r"targets?\b|pathways?\b|functions?\b|role\b|inhibit\w*|bind\w*|regulat\w+|interact\w*|work\b|mediat\w+",
            r"mechanis\w+|inhibit\w*|block\w*|bind\w*|activat\w+|regulat\w+|target\w*|pathways?\b|receptors?\b|"
            r"signal\w*|mediat\w+|via\b|through\b|by (?:\w+ly )?\w+ing\b|express\w+|phosphorylat\w+|interact\w*|"
            r"functions?\b|roles?\b",
        ),
        "diagnosis": _cues(
            r"diagnos\w+|detect\w*|tests?\b|tested\b|screen\w*|biomarkers?\b|markers?\b|identif(?:y|ied)\b|criteri\w+|"
            r"distinguish\w*|dx\b|imaging\b|sensitiv\w+|specificity\b",
            r"diagnos\w+|detect\w*|tests?\b|testing\b|assay\w*|screen\w*|biomarkers?\b|markers?\b|criteri\w+|"
            r"sensitivit\w+|specificit\w+|imaging\b|MRI\b|CT\b|ultraso\w+|biops\w+|histolog\w+|sequenc\w+|accura\w+|"
            r"distinguish\w*|differentia\w+",
        ),
        "symptom": _cues(
            r"symptom\w*|signs?\b|manifest\w*|presentation\b|features?\b|characteri[sz]\w+|phenotyp\w+|hallmarks?\b|"
            r"present(?:s|ing)? with\b|how do(?:es)? [^?]*\bpresent\b|complain\w*|sx\b",
            r"symptom\w*|signs?\b|manifest\w*|presents?\b|presented\b|presentation\w*|features?\b|characteri[sz]\w+|"
            r"phenotyp\w+|hallmarks?\b|complain\w*|abnormalit\w+|including\b|such as\b|pain\w*|fever\b|fatigue\b",
        ),
        "prognosis": _cues(
            r"prognos\w+|surviv\w+|mortalit\w+|outcomes?\b|death\w*|die[sd]?\b|fatal\w*|life expectancy|recurren\w+|"
            r"recover\w*|outlook\b|relaps\w+|progress\w*",
            r"prognos\w+|surviv\w+|mortalit\w+|death\w*|die[sd]?\b|dying\b|fatal\w*|life expectancy|recurren\w+|"
            r"recover\w*|relaps\w+|outcomes?\b|progress\w*|median follow|months?\b|years?\b",
        ),
        "safety": _cues(
            r"safe(?:ty|ly|st)?\b|side[- ]effects?\b|advers\w+|toxic\w*|harm\w*|contraindicat\w*|complications?\b|"
            r"toler\w+|dangers?\b|dangerous\b",
            r"safe(?:ty|ly)?\b|side[- ]effects?\b|advers\w+|toxic\w*|harm\w*|contraindicat\w*|complications?\b|"
            r"toler\w+|discontinu\w+|withdr\w+|bleed\w*|nausea\b|events?\b",
        ),
        "dose": _cues(
            r"dos(?:e|es|age|ages|ing)\b|how (?:much|often (?:is|are|should))\b|regimens?\b|schedule\b|"
            r"administ(?:er|ered|ration)\b",
            _AMOUNT,
        ),
        "comparison": _cues(
            r"compar\w+|versus\b|vs\b|differences?\b|differ(?:s|ent)?\b|(?:better|worse|more|less|superior|inferior|"
            r"greater|higher|lower|safer|faster)\b[^?]*\b(?:than|to)\b|similar\w*|non-?inferior\w*|alternative\b",
            r"compar\w+|versus\b|vs\b|differ\w*|than\b|superior\w*|non-?inferior\w*|inferior\w*|similar\w*|"
            r"respectively\b|whereas\b|equivalent\w*|contrast\b|better\b|worse\b|alternative\b",
        ),
        "definition": _cues(
            r"^\W*(?:(?:what|who) (?:is|are|was|were) (?:an? |the )?[^?]{2,50}\?*$|define\b|describe\b|explain\b)",
            r"(?:is|are|was|were) (?:an?|the|one of)\b|defined as\b|refers? to\b|known as\b|called\b|termed\b|"
            r"characteri[sz]ed by\b|consists? of\b|comprises?\b|describ\w+|provides?\b|allows?\b",
        ),
    }
)

_QUESTION_WORD = re.compile(
    r"\b(?:wh(?:at|ich|o|om|ose|en|ere|y)|how|define|describe|explain|list|name|tell|summari[sz]e)\b", re.IGNORECASE
)
_SINGULAR_VERB = r"(?:is|was|does|has|are|were|do|have|causes|means)\b"
# A plural behind "which" or "what" ("which other genes do …"); "lupus", "virus" and "analysis" are one thing.
_PLURAL = (
    rf"(?:what|which) (?:(?!{_SINGULAR_VERB})[\w/-]+ ){{0,5}}(?!{_SINGULAR_VERB})[\w/-]*[a-hj-rtv-z]s "
    r"(?:are|were|have|do|does|did|can|could|may|might|should|will|exist|has been|occur|belong|contribute)\b"
)
_LIST = re.compile(
    r"^\W*(?:please |can you |could you )?(?:list|enumerate|name|give)\b|\bplease list\b"
    r"|\b(?:what|which) (?:are|were) (?:the |all |other |main |major |common |known |different |currently )+"
    r"(?!role\b|function\b|effects?\b|mechanism\b|prevalence\b|incidence\b)[\w-]+ (?=\w)"
    rf"|\b{_PLURAL}"
    r"|\b(?:what|which)\b[^?]*\b(?:symptoms|causes(?= of\b| for\b|\?)|types|forms|examples|side effects|complications|"
    r"criteria|treatments|components|subtypes|features|signs|indications|options|uses)\b(?! (?:is|was)\b)",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"(?:^|[:;,.?-]\s*|^(?:and|or|but|so)\s+)(?:is|are|was|were|do|does|did|can|could|should|will|would|has|have|may|"
    r"might)\s(?!not\b)",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"\b(?:compar(?:e[sd]?|ing|ison)\b|versus\b|vs\b|differences? (?:between|of|in)\b|differ\b|distinguish\w*\b|"
    r"(?:better|worse|superior|inferior|safer|faster|as (?:good|effective|safe))\b[^?]*\b(?:than|to|as)\b)",
    re.IGNORECASE,
)


@lru_cache(maxsize=1_000)
def aspects_of(question: str) -> tuple[Aspect, ...]:
    """Return the aspects that a question asks about.

    Empty where no word shows one.
    """
    return tuple(aspect for aspect, cues in _CUES.items() if cues.asked.search(question))


def tells_of(sentence: str, aspect: Aspect) -> bool:
    """Return whether a sentence has a cue of an aspect."""
    return bool(_CUES[aspect].answered.search(sentence))


def tells_what_is_asked(question: str, sentence: str) -> bool:
    """Return whether a sentence has a cue of an aspect in the question."""
    return any(tells_of(sentence, aspect) for aspect in aspects_of(question))


def form_of(question: str) -> Form:
    """Return the form of the answer that a question asks for.

    Yes or no, several things, a comparison of two sides, or a description.
    """
    question = unquoted(question)
    if _COMPARISON.search(question):
        return "comparison"
    if _YES_NO.search(question.strip()):
        return "yes_no"
    if _LIST.search(question):
        return "list"
    return "description"


_EFFECT = re.compile(
    r"^what (?:do|does|did)\b.*\bdo\b|\b(?:benefits?|effects?|effectiveness|efficacy|impact|influence) of\b|"
    r"^how (?:do|does|did)\b.*\b(?:affect|change|influence)\b|^how (?:effective|well)\b",
    re.IGNORECASE,
)


def asks_for_results(question: str) -> bool:
    """Return whether only what a study found can answer.

    Yes or no, a comparison, an effect ("What does tea do to the pulse?"), or a title with a question mark.

    "Inhibin: a new circulating marker of hydatidiform mole?" has no word that asks for a thing.
    """
    if form_of(question) in ("yes_no", "comparison") or _EFFECT.search(question):
        return True
    return form_of(question) == "description" and not _QUESTION_WORD.search(question)
