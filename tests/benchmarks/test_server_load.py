"""What the load run counts as mixed, and how it compares memory; figures by hand."""

import random

import pytest

from benchmarks.server.load import (
    RECORDS,
    SUBSTANCES,
    MixedAnswerError,
    Tally,
    memory_report,
    question_of,
    require_own,
    result_of,
)


def test_every_record_has_a_substance_and_a_number_of_its_own():
    assert len(set(SUBSTANCES[:RECORDS])) == RECORDS
    assert len({result_of(number) for number in range(RECORDS)}) == RECORDS
    assert SUBSTANCES[7] in question_of(7, random.Random(1))


def test_an_answer_of_another_question_is_noticed():
    require_own(3, result_of(3))
    for text in ("", result_of(4), f"{result_of(3)} {result_of(4)}", result_of(3).replace("103.5", "104.5")):
        with pytest.raises(MixedAnswerError, match=SUBSTANCES[3]):
            require_own(3, text)


def test_the_second_quarter_is_compared_with_the_last():
    series = [
        (float(second), size) for second, size in enumerate([100.0, 200.0, 300.0, 310.0, 320.0, 305.0, 306.0, 308.0])
    ]
    assert memory_report(series) == {
        "most_megabytes": 320.0,
        "second_quarter_megabytes": 305.0,
        "last_quarter_megabytes": 307.0,
    }


def test_errors_and_mixed_answers_are_counted_apart():
    tally = Tally()
    tally.wrong.update({"MixedAnswerError (ask): x": 2, "ReadTimeout (search): y": 3})
    tally.seconds["ask"] += [1.0, 3.0, 2.0]
    report = tally.report()
    assert (report["requests"], report["errors"], report["mixed_answers"]) == (3, 3, 2)
    assert report["seconds_by_way"]["ask"] == {"median": 2.0, "p95": 3.0, "slowest": 3.0}
