"""Rewords a sentence lightly without a change of meaning."""

import random
import re
from collections.abc import Sequence

from training.verifier.twin import capitalized, uncapitalized

# Words of one "/" group stand for each other; what follows a ">" may replace what stands before it, not the reverse.
_SYNONYMS = (
    "was associated with/was linked to; were associated with/were linked to; is associated with/is linked to;"
    "are associated with/are linked to; subjects/participants; showed/demonstrated; exhibited>showed; displayed>showed;"
    "shows/demonstrates; compared with/compared to/relative to/in comparison with; prior to/before; utilized>used;"
    "because of/due to/owing to; efficacy/effectiveness; adverse events/adverse effects; described>reported;"
    "high blood pressure/hypertension; myocardial infarction/heart attack; physicians/doctors; greater/larger;"
    "higher/greater; the risk of/the likelihood of; therapy/treatment; renal>kidney; hepatic>liver; pulmonary>lung;"
    "cardiac>heart; randomized/randomised; tumor/tumour; suggest/indicate; suggests/indicates; evaluated/assessed;"
    "evaluate/assess; examined/investigated; investigate/examine; conducted>carried out/performed;"
    "enrolled/recruited; several>multiple; many>numerous; whereas/while; although/even though; frequently/often;"
    "the majority of>most; main>major; requires/needs; required/needed; rapidly/quickly; similar to/comparable to;"
    "impact/influence; highly>very; additional>further; novel/new; reduction>decrease; reduced/decreased;"
    "reduces/lowers; elevated>increased; determine/establish; statistically significant>significant; as well as>and;"
    "assigned/allocated; received/were given; cancer>malignancy; observed/noted; remained/stayed; reached/attained;"
    "individuals/people; method/approach; methods/approaches; previously>earlier; usually>normally;"
    "administered>given; during/in the course of; therefore/thus; despite/in spite of; led to/resulted in;"
    "leads to/results in; based on/on the basis of; regarding/concerning; via/through; whilst>while; upon>on;"
    "concentrations>levels; are able to>can; is able to>can; was able to>could; the present study/this study;"
    "entire/whole; beneficial/helpful; affect/influence; affects/influences; crucial/essential; rapid/quick;"
    "in order to>to; healthcare/health care; subsequently>later; postoperative/post-operative; pediatric/paediatric;"
    "identified>found; obtained>gained; approximately/roughly; percent>per cent; commonly/frequently"
)


def _replacements() -> dict[str, tuple[str, ...]]:
    replacements: dict[str, tuple[str, ...]] = {}
    for group in _SYNONYMS.split(";"):
        first, one_way, others = group.strip().partition(">")
        words = first.split("/")
        for word in words:
            new = others.split("/") if one_way else [other for other in words if other != word]
            replacements[word] = (*replacements.get(word, ()), *new)
    return replacements


_REPLACEMENTS = _replacements()
_REPLACEABLE = re.compile(
    rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(_REPLACEMENTS, key=len, reverse=True)))})(?![\w-])"
)
_MOST_SYNONYMS = 3
_ARTICLE = re.compile(r"\b([Aa])n? $")
_LEAD = re.compile(
    r"^(?:(?:However|Moreover|Furthermore|In addition|Additionally|In conclusion|Conclusions?|Thus|Therefore|Finally|"
    r"Interestingly|Importantly|Overall|In summary|Also|Similarly|Surprisingly|Notably|As expected|Nevertheless|"
    r"Consequently|Hence|Here|In this study), )?"
    r"(?:(?:We|Our (?:results|data|findings|study|analysis)|The (?:results|data|findings|analysis)|"
    r"These (?:results|data|findings)|This study|Results|It was) (?:also )?"
    r"(?:found|shows?|showed|demonstrates?|demonstrated|observed|confirmed|shown|revealed) that )?"
)
_PARENTHESIS = re.compile(r"\s*[(\[][^()\[\]]{1,80}[)\]]")
_OPENING_PHRASE = re.compile(
    r"(?P<phrase>(?:In|Among|For|At|After|During|With|By|Compared|Although|While|When) [^,]{5,80}), "
    r"(?P<rest>[^,]{10,})\."
)
_CLOSING_PHRASE = re.compile(r"(?P<rest>[^,]{15,}?) (?P<phrase>(?:after|during|among|at) [^,]{5,60})\.")


def shortened(sentence: str, rng: random.Random, keep: Sequence[str] = ()) -> str:
    """Return a shorter sentence that the original still supports.

    Perhaps without parentheses or "We found that".

    Args:
        sentence: The sentence.
        rng: Decides what is done.
        keep: Parts that must stay as they are: a change that would touch one is left out.
    """
    for chance, change in ((0.6, without_parentheses), (0.7, without_lead)):
        if rng.random() < chance and _keeps(changed := change(sentence), sentence, keep):
            sentence = changed
    return sentence


def reworded(sentence: str, rng: random.Random, keep: Sequence[str] = ()) -> str:
    """Return the sentence reworded.

    Up to three synonyms, its opening phrase perhaps moved to the end or the reverse.

    Args:
        sentence: The sentence; nothing that it says is dropped.
        rng: Decides what is done.
        keep: Parts that must stay as they are: a change that would touch one is left out.
    """
    sentence = _with_synonyms(sentence, rng, rng.randint(0, _MOST_SYNONYMS), keep)
    turned = _turned(sentence)
    return turned if rng.random() < 0.4 and _keeps(turned, sentence, keep) else sentence


def without_lead(sentence: str) -> str:
    """Remove "However," or "We found that" before the statement."""
    return capitalized(_LEAD.sub("", sentence))


def _keeps(changed: str, sentence: str, keep: Sequence[str]) -> bool:
    return len(changed.split()) > 3 and all(changed.count(part) >= sentence.count(part) for part in keep)


def _with_synonyms(sentence: str, rng: random.Random, words: int, keep: Sequence[str]) -> str:
    matches = list(_REPLACEABLE.finditer(sentence))
    chosen = sorted(rng.sample(matches, min(words, len(matches))), key=lambda match: match.start(), reverse=True)
    for match in chosen:
        changed = _replaced(sentence, match.span(), rng.choice(_REPLACEMENTS[match[0]]))
        if _keeps(changed, sentence, keep):
            sentence = changed
    return sentence


def _replaced(text: str, span: tuple[int, int], new: str) -> str:
    """Replace a word, and fit "a" or "an" before it."""
    before, after = text[: span[0]], text[span[1] :]
    if (text[span[0]] in "aeiou") != (new[0] in "aeiou"):
        before = _ARTICLE.sub(r"\1n " if new[0] in "aeiou" else r"\1 ", before)
    return before + new + after


def without_parentheses(sentence: str) -> str:
    """Remove what stands in parentheses."""
    return _PARENTHESIS.sub("", sentence)


def _turned(sentence: str) -> str:
    """Move an opening phrase to the end, or a closing one to the beginning."""
    if match := _OPENING_PHRASE.fullmatch(sentence):
        return f"{capitalized(match['rest'])} {uncapitalized(match['phrase'])}."
    if match := _CLOSING_PHRASE.fullmatch(sentence):
        return f"{capitalized(match['phrase'])}, {uncapitalized(match['rest'])}."
    return sentence
