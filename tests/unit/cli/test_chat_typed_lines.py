"""What can be typed in a conversation, parsed and completed."""

import contextlib
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.cli.chat.completion import candidates
from llama_index_medqa.cli.chat.typed_lines import (
    COMMANDS,
    Command,
    parse_citing,
    parse_file,
    parse_filter,
    parse_line,
    parse_number,
)
from llama_index_medqa.errors import UsageError
from llama_index_medqa.retrieval.paper_filter import PaperFilter

ALL = PaperFilter()
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
years = st.integers(1000, 9999)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("  \t\n", None),
        ("Does tea help?\n", "Does tea help?"),
        ("/sources", Command("sources")),
        (" /Open  2 \n", Command("open", "2")),
        ("/filter from=2019  type=Review", Command("filter", "from=2019  type=Review")),
        ("quit", Command("quit")),
        ("EXIT", Command("quit")),
        ("/exit", Command("quit")),
        ("Quit smoking: does it help?", "Quit smoking: does it help?"),
    ],
)
def test_a_line_is_a_question_or_a_command(line, expected):
    assert parse_line(line) == expected


@pytest.mark.parametrize(
    ("line", "meant"), [("/source", "did you mean /sources?"), ("/xyzzy", "/help lists them"), ("/", "/help lists")]
)
def test_a_command_that_does_not_exist_names_the_one_that_may_be_meant(line, meant):
    with pytest.raises(UsageError, match=meant.replace("?", r"\?")):
        parse_line(line)


@given(st.text())
def test_any_line_is_read_or_refused_in_words(line):
    try:
        parsed = parse_line(line)
    except UsageError:
        assert line.strip().startswith("/")
        return
    if isinstance(parsed, str):
        assert parsed == line.strip()
    elif parsed is None:
        assert not line.strip()
    else:
        assert parsed.name in COMMANDS


@given(years, years, st.lists(names, max_size=3), st.lists(names, max_size=3))
def test_a_filter_is_read_as_it_was_written(one, other, types, journals):
    first, last = sorted((one, other))
    words = [
        f"from={first}",
        f"to={last}",
        *(f"type={name}" for name in types),
        *(f"journal={name}" for name in journals),
    ]
    read = parse_filter(shlex.join(words), ALL)
    assert read == PaperFilter(first, last, types, journals)


@given(st.text())
def test_any_filter_is_read_or_refused_in_words(text):
    with contextlib.suppress(UsageError):
        assert isinstance(parse_filter(text, ALL), PaperFilter)


def test_what_is_not_given_stays_and_an_empty_value_takes_away():
    before = PaperFilter(2010, 2020, ["Review"], ["Circulation"])
    assert parse_filter('type="Randomized Controlled Trial"', before) == PaperFilter(
        2010, 2020, ["Randomized Controlled Trial"], ["Circulation"]
    )
    assert parse_filter("type=Review type=Meta-Analysis", ALL).publication_types == ("Review", "Meta-Analysis")
    assert parse_filter("from= journal=", before) == PaperFilter(None, 2020, ["Review"])
    assert parse_filter("clear", before) == ALL
    assert parse_filter(" CLEAR ", before) == ALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from=19", "takes a year such as 2019"),
        ("from=２０１９", "takes a year such as 2019"),
        ("from=2020 to=2010", "No year lies between 2020 and 2010"),
        ("year=2019", "takes from=…, to=…, type=…, journal=… or clear"),
        ("2019", "takes from=…"),
        ("clear from=2019", "takes from=…"),
        ('journal="Circulation', "a quotation mark too few"),
    ],
)
def test_a_filter_that_cannot_be_says_why(text, message):
    with pytest.raises(UsageError, match=message):
        parse_filter(text, ALL)


def test_a_year_is_held_against_the_one_that_is_there():
    with pytest.raises(UsageError, match="No year lies between 2015 and 2010"):
        parse_filter("from=2015", PaperFilter(last_year=2010))


def test_numbers_files_and_formats():
    assert parse_number("12") == 12
    for wrong in ("", "0", "-1", "two", "1 2", "²", "9" * 20):
        with pytest.raises(UsageError, match="takes the number of a source"):
            parse_number(wrong)
    assert parse_file('"my answer.HTML"') == Path("my answer.HTML")
    assert parse_file(r"C:\answers\a.md") == Path(r"C:\answers\a.md")
    for wrong in ("", "answer", "answer.pdf", ".html"):
        with pytest.raises(UsageError, match=r"\.html, \.md, \.json"):
            parse_file(wrong)
    assert parse_citing("BibTeX") == ("bibtex", None)
    assert parse_citing("ris papers.ris") == ("ris", Path("papers.ris"))
    for wrong in ("", "endnote"):
        with pytest.raises(UsageError, match="bibtex or ris"):
            parse_citing(wrong)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("/s", ["/sources", "/save"]),
        ("/", [f"/{name}" for name in COMMANDS]),
        ("/filter ", ["from=", "to=", "type=", "journal=", "clear"]),
        ("/filter from=2019 t", ["to=", "type="]),
        ("/filter type=ran", ['type="Randomized Controlled Trial"']),
        ('/filter type="Systematic Re', ['type="Systematic Review"']),
        ('/filter type="Systematic Review" f', ["from="]),
        ("/cite ", ["bibtex", "ris"]),
        ("/save answer.m", ["answer.md"]),
        ("/model ", []),
        ("Does s", []),
        ("", []),
    ],
)
def test_completions(typed, expected):
    assert [candidate.text for candidate in candidates(typed)] == expected


@given(st.text())
def test_a_completion_replaces_no_more_than_was_typed(typed):
    for candidate in candidates(typed):
        assert 0 <= candidate.replaced <= len(typed)


@given(st.sampled_from(sorted(COMMANDS)), st.integers(0, 8))
def test_a_completed_command_exists(name, letters):
    for candidate in candidates(f"/{name[:letters]}"):
        assert parse_line(candidate.text) == Command(candidate.text[1:])
