"""Words and their stems."""

import sys
from concurrent.futures import ThreadPoolExecutor

from llama_index_medqa.text.words import content_words, stem


def test_words():
    assert content_words("The patients' blood-pressure was NOT measured in 12 of them") == content_words(
        "patient measuring blood pressure blood-pressure"
    )


def test_words_are_stemmed_alike_in_several_threads():
    endings = "ing ed s ies ization fulness ously ement ational able".split()
    words = [
        f"{first}{middle}{ending}" for first in "bcdfg" for middle in ("oner", "alat", "ist") for ending in endings
    ]
    alone = [stem.__wrapped__(word) for word in words]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(lambda _: [stem.__wrapped__(word) for word in words], range(16)))
    finally:
        sys.setswitchinterval(interval)
    assert all(stems == alone for stems in together)
