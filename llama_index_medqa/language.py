"""Whether a question is in English, told by its script and its function words."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

ENGLISH = "English"

# The commonest function words of languages that are written in Latin letters. A word that English has too, or that is
# a medical term in English ("die", "an", "in"), is left out.
_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        ENGLISH: frozenset(
            "the of and to is are was were does do did what which how why when where who can could should would will "
            "has have had with for from by on at in it its this that these those than be been being not or if between "
            "there a an list name explain describe summarize".split()
        ),
        "French": frozenset(
            "le la les des du une est sont et quel quelle quels quelles comment pourquoi quand dans pour avec sur chez "
            "qui que ce cette ces aux au il elle ils elles peut ne pas ou où par plus il y".split()
        ),
        "Spanish": frozenset(
            "el la los las del una es son y qué que cuál cuáles cómo como por para con sin en los cuándo dónde puede "
            "se su sus al lo más hay está entre".split()
        ),
        "German": frozenset(
            "der die das den dem des ein eine einer eines ist sind und wie was warum wann welche welcher welches mit "
            "bei für von zur zum nicht kann wird werden hat haben gibt im auf zwischen oder".split()
        ),
        "Italian": frozenset(
            "il lo la gli le della dei delle degli del un una è sono e quale quali come perché quando nel nella per "
            "con che si può di da tra".split()
        ),
        "Portuguese": frozenset(
            "o os a as do da dos das um uma é são e qual quais como por que quando onde em no na nos nas para com "
            "pode não se ao mais entre".split()
        ),
        "Dutch": frozenset(
            "de het een is zijn en wat welke hoe waarom wanneer bij voor van met op niet kan wordt worden heeft er "
            "tussen door naar".split()
        ),
        "Polish": frozenset(
            "czy jest są jak jakie jaki jaka dlaczego kiedy w z na do i nie się u przy oraz przez".split()
        ),
        "Turkish": frozenset("mi mı mu mü nedir ve bir ile için nasıl neden hangi ne olan midir mıdır".split()),
    }
)
_LETTERS = re.compile(r"[^\W\d_]+")
_LEAST_FUNCTION_WORDS = 2
# Greek letters are part of English medical texts ("TNF-α"), a few at a time.
_MOST_FOREIGN_LETTERS = 0.3


def foreign_language(question: str) -> str | None:
    """The language of a question where it is not English, such as ``German`` or ``a script other than Latin``.

    A question without function words of any language ("metformin PCOS") counts as English.
    """
    letters = [letter for letter in question if letter.isalpha()]
    foreign = [letter for letter in letters if not unicodedata.name(letter, "").startswith(("LATIN", "MICRO"))]
    if letters and len(foreign) > _MOST_FOREIGN_LETTERS * len(letters):
        return "a script other than Latin"
    words = _LETTERS.findall(question.lower())
    counts = {language: sum(word in known for word in words) for language, known in _WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    is_foreign = counts[best] >= _LEAST_FUNCTION_WORDS and counts[best] > counts[ENGLISH]
    return best if is_foreign else None
