"""Numbers with their nouns."""

import pytest

from llama_index_medqa._common.counts import counted


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
