"""Whether a question is in English, told by its script and its function words."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

ENGLISH = "English"

# The commonest function words of languages that are written in Latin letters. Left out is what English has too ("die",
# "come"), and what stands for something else in medical texts ("il" for interleukin, "mi", "est", "et" of "et al.").
_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        ENGLISH: frozenset(
            "the of and to is are was were does do did what which how why when where who can could should would will "
            "has have had with for from by on at in it its this that these those than be been being not or if between "
            "there a an as all list name explain describe summarize".split()
        ),
        "French": frozenset(
            "le la les du une sont quel quelle quels quelles pourquoi quand dans pour avec chez qui que cette ces aux "
            "elle ils elles peut où ou sur pas être ont fait sans quoi".split()
        ),
        "Spanish": frozenset(
            "el la los una qué cuál cuáles cómo para con cuándo dónde puede sus lo más está entre del que por las "
            "cual cuales según también tiene tienen hay".split()
        ),
        "German": frozenset(
            "der das den dem eine einer eines ist sind und wie warum wann welche welcher welches mit bei für von zur "
            "zum nicht kann wird werden haben gibt auf zwischen oder durch nach einem einen".split()
        ),
        "Italian": frozenset(
            "lo gli della dei delle degli del una è sono quale quali perché quando nel nella che può di con più "
            "questo questa cosa alla".split()
        ),
        "Portuguese": frozenset(
            "dos das uma são quais qual quando onde nas nos pode não ao mais entre para pelo pela você".split()
        ),
        "Dutch": frozenset(
            "het een zijn wat welke hoe waarom wanneer bij voor van niet kan wordt worden heeft tussen naar deze "
            "dit".split()
        ),
        "Polish": frozenset("czy jest są jak jakie jaki jaka dlaczego kiedy nie się przy oraz przez dla".split()),
        "Turkish": frozenset("mı mü nedir bir ile için nasıl neden hangi olan midir mıdır nelerdir".split()),
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
