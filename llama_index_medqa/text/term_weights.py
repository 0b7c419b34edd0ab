"""How much a word tells: its rarity in PubMed, whether it names a thing, and which words name the same thing."""

import math
from functools import cache, lru_cache
from importlib.resources import files

from llama_index_medqa.text.search_terms import GREEK_NAMES
from llama_index_medqa.text.words import content_words

# Stands in fewer abstracts than the list tells.
_RARE_COUNT = 30
# Stems that are common in abstracts and yet name a disease, a substance, an organ, an organism or who was studied;
# chosen by eye from word_counts.txt. Every word that is not common is taken for a name.
_NAMES = frozenset(
    "abdomin adenocarcinoma adipos adolesc african akt albumin alcohol alzheim amyloid antibiot anxieti aortic "
    "arteri arthriti asian asthma atrial autoimmun bacteri bacteria bone bowel brain breast calcium cancer "
    "carcinoma cardiac cardiovascular cerebr cervic chemotherapi child childhood children cholesterol coli colon "
    "colorect copper coronari coronavirus cortic covid covid-19 cox crispr dementia dental depress diabet egfr "
    "elder endotheli epilepsi epitheli escherichia eye fat fatigu femal fetal fever fibrosi fractur gastric "
    "gastrointestin girl glucos glutathion hcc heart hemorrhag hepat hepatocellular hip hiv hypertens hypoxia ifn "
    "il-6 immunotherapi infant infarct influenza insulin interferon intestin iron ischem kidney knee leukemia "
    "lipid liver lncrna lung lymphoma macrophag male marrow melanoma mellitus men mice mitochondri mitochondria "
    "monocyt mous murin muscl myocardi neonat neuron neutrophil obes opioid ovarian pancreat pediatr pelvic "
    "placebo platelet pneumonia pregnanc pregnant prostat pulmonari radiotherapi rat renal retin sar sar-cov-2 "
    "sclerosi seizur sepsis skin sleep sodium spinal spleen staphylococcus steroid stroke tgf thrombosi thyroid "
    "tnf tnf-α tuberculosi ulcer urinari vaccin venous vertebr virus vitamin women yeast zinc".split()
)
# Words that a person puts one for the other, by the first.
_SAME = (
    "child children childhood infant pediatr paediatr kid",
    "femal women woman girl",
    "male men man boy",
    "kidney renal nephr",
    "heart cardiac",
    "liver hepat",
    "lung pulmonari",
    "mice mous murin",
    "tumor tumour neoplasm neoplast",
    "cancer carcinoma malign",
    "elder older",
    "covid-19 sar-cov-2 covid sar-cov 2019-ncov coronavirus covid19",
    "brain cerebr",
    "mitochondri mitochondria",
    "bacteri bacteria",
    "mortal death die dead fatal",
    "drug medic medicin",
    "illness diseas",
    "doctor physician clinician",
    "prevent prevention",
    "begin start onset initi",
    "use utilis util",
    "pregnanc pregnant",
    "blood haemat hemat",
    "ifn interferon",
    "interleukin il",
)
_CANONICAL = {word: group.split()[0] for group in _SAME for word in group.split()}
_GREEK = str.maketrans(GREEK_NAMES)


@cache
def _counts() -> tuple[int, dict[str, int]]:
    first, *lines = (files(__package__) / "word_counts.txt").read_text(encoding="utf-8").splitlines()
    return int(first.split()[1]), {word: int(count) for word, count in map(str.split, lines)}


@lru_cache(maxsize=50_000)
def terms(text: str) -> frozenset[str]:
    """The stems of a text's meaningful words; words for the same thing are one, Greek letters are spelt."""
    return frozenset(_CANONICAL.get(word, word) for word in content_words(text.lower().translate(_GREEK)))


@cache
def idf(term: str) -> float:
    """How much a stem tells: the logarithm of abstracts for each that holds it (inverse document frequency)."""
    abstracts, counts = _counts()
    return math.log(abstracts / counts.get(term, _RARE_COUNT))


def is_entity_like(term: str) -> bool:
    """Whether a stem is likely to name a drug, disease, gene, organism or group of people.

    Words that stand in 100 and more of 18,445 abstracts name none, but for a list made by eye.
    """
    return term in _NAMES or term not in _counts()[1]
