"""Exit codes are those of the page, and what cannot be written is told before the work."""

import re

import pytest

from llama_index_medqa._common.writable import require_writable
from llama_index_medqa.cli import options
from llama_index_medqa.cli.command import main
from llama_index_medqa.errors import InputError, MedQAError, UsageError
from tests.conftest import REPOSITORY


def ended(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["medqa", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_the_page_tells_every_code():
    page = (REPOSITORY / "docs" / "usage.md").read_text(encoding="utf-8").partition("**Exit codes.**")[2]
    told = {int(code) for code in re.findall(r"^\| (\d) \|", page.partition("\n\nA file")[0], re.MULTILINE)}
    codes = {name: value for name, value in vars(options).items() if name.startswith("EXIT_")}
    assert told == {0, 1, 2, 3}
    assert codes == {"EXIT_DONE": 0, "EXIT_FAILED": 1, "EXIT_MISUSED": 2, "EXIT_INCOMPLETE": 3}


@pytest.mark.parametrize("option", ["--html", "--markdown", "--bibtex", "--ris"])
def test_an_answer_that_cannot_be_written_is_told_before_anything_is_loaded(monkeypatch, tmp_path, capsys, option):
    # There is no index either: the file is looked at first.
    code = ended(monkeypatch, "ask", "Does tea help?", option, tmp_path / "no" / "a", "--index", tmp_path / "none")
    assert code == options.EXIT_FAILED
    assert "cannot be written: there is no folder" in capsys.readouterr().err


def commands(folder, missing):
    no = folder / "no" / "out"
    return [
        ["evaluate", missing, "--output", no],
        ["evaluate", missing, "--output", folder / "out", "--journal", no],
        ["gate", missing, missing, "--html", no],
        ["gate", missing, missing, "--junit", no],
        ["gate", missing, missing, "--markdown", folder],
        ["leaderboard", missing, "--markdown", no],
        ["judge", "calibrate", missing, "--output", no],
        ["export", no, "--index", missing],
    ]


@pytest.mark.parametrize("number", range(8))
def test_results_that_cannot_be_written_are_told_before_their_inputs_are_read(monkeypatch, tmp_path, capsys, number):
    code = ended(monkeypatch, *commands(tmp_path, tmp_path / "missing.jsonl")[number])
    assert code == options.EXIT_FAILED
    assert "cannot be written: " in capsys.readouterr().err


def test_a_list_of_answers_that_cannot_be_written_is_told_first(monkeypatch, tmp_path, capsys):
    (tmp_path / "q.txt").write_text("Does tea help?\n")
    arguments = ["--questions", tmp_path / "q.txt", "--output", tmp_path / "no" / "a.csv", "--index", tmp_path / "none"]
    assert ended(monkeypatch, "ask", *arguments) == options.EXIT_FAILED
    assert "a.csv cannot be written: there is no folder" in capsys.readouterr().err


def test_two_outputs_in_one_file_and_what_is_not_asked_for(tmp_path):
    require_writable(None, tmp_path / "a", None, tmp_path / "b")
    with pytest.raises(InputError, match="Two outputs are to go into one file"):
        require_writable(tmp_path / "a", tmp_path / "." / "a")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("Give one."), options.EXIT_MISUSED, "Error: Give one."),
        (MedQAError("It is\nbroken."), options.EXIT_FAILED, "Error: It is broken."),
        (
            OSError(28, "No space left on device", "a.html"),
            options.EXIT_FAILED,
            "Error: a.html: No space left on device.",
        ),
    ],
)
def test_every_error_is_one_line_with_its_code(monkeypatch, capsys, error, code, told):
    def fails():
        raise error

    monkeypatch.setattr("llama_index_medqa.cli.command.app", fails)
    assert ended(monkeypatch, "info") == code
    shown = capsys.readouterr().err
    assert shown.startswith(told)
    assert len(shown.splitlines()) == 1


def test_an_option_that_does_not_exist_is_wrong_usage(monkeypatch, capsys):
    assert ended(monkeypatch, "ask", "--odd") == options.EXIT_MISUSED
    assert ended(monkeypatch, "ask", "") == options.EXIT_MISUSED
    # A search for more chunks than that would not end.
    assert ended(monkeypatch, "ask", "Does tea help?", "--top-k", 100_000) == options.EXIT_MISUSED
    capsys.readouterr()


@pytest.mark.parametrize(
    ("years", "told"),
    [
        (["--from-year", "99999"], "Invalid value for '--from-year'"),
        (["--to-year", "12"], "Invalid value for '--to-year'"),
        (["--from-year", "soon"], "Invalid value for '--from-year'"),
        (["--from-year", "2020", "--to-year", "2010"], "--from-year 2020 is after --to-year 2010"),
    ],
)
def test_a_year_that_is_none_is_told_by_the_option_that_was_typed(monkeypatch, tmp_path, capsys, years, told):
    code = ended(monkeypatch, "ask", "Does tea help?", *years, "--index", tmp_path / "none")
    shown = " ".join(capsys.readouterr().err.replace("\u2502", " ").split())
    assert (code, told in shown) == (options.EXIT_MISUSED, True), shown
