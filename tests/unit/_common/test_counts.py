"""Numbers with their nouns and units."""

import pytest

from llama_index_medqa._common.counts import counted, lasting, sized


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, "case"), "0 cases"),
        ((1, "case"), "1 case"),
        ((2, "case"), "2 cases"),
        ((1, "canary", "canaries"), "1 canary"),
        ((3, "canary", "canaries"), "3 canaries"),
    ],
)
def test_one_is_singular(arguments, expected):
    assert counted(*arguments) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [(1, "1 byte"), (999, "999 bytes"), (2_500, "2.5 kB"), (1_234_500_000, "1,234.5 MB")]
)
def test_sizes(size, expected):
    assert sized(size) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "less than a minute"),
        (60, "1 minute"),
        (600, "10 minutes"),
        (9_000, "2.5 hours"),
        (7.2e6, "2,000.0 hours"),
    ],
)
def test_durations(seconds, expected):
    assert lasting(seconds) == expected
