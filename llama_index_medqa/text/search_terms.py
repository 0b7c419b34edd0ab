"""Terms of the search by words, the same for records and questions."""

import hashlib
import re
import unicodedata

from llama_index_medqa.text.words import FUNCTION_WORDS, stem

GREEK_NAMES = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho",
    "σ": "sigma", "ς": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
# Spaces around, so that TNFα, TNF-α and TNF-alpha are the same two terms.
_SPELLED_OUT = str.maketrans({letter: f" {name} " for letter, name in GREEK_NAMES.items()})
_TERM = re.compile(r"[^\W\d_]+|\d+")
# A text in which every rule is used.
_PROBE = "The TNF-α, IL-6 and β2 levels of naïve patients with COVID-19 were reduced; p53 mutations, running studies."


def lexical_terms(text: str) -> list[str]:
    """Return the terms of a text, in order: stems and numbers.

    Letters and digits are parted (``IL-6``, ``IL6`` and ``IL 6`` are the same two terms), Greek letters get their
    names, accents are taken off, and function words are left out. Stems are those of the English Snowball stemmer.
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    if not plain.isascii():
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_SPELLED_OUT)
    return [stem(word) for word in _TERM.findall(plain) if word not in FUNCTION_WORDS]


def rules_fingerprint() -> str:
    """Return 16 hexadecimal digits that identify the rules.

    They change with the rules and with the installed stemmer.
    """
    return hashlib.sha256(" ".join(lexical_terms(_PROBE)).encode()).hexdigest()[:16]
