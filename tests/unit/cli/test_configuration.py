"""medqa.toml, the environment and options, in rising order of precedence; medqa config, --version, -h, -q, -v."""

import contextlib
import json
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from llama_index_medqa.cli.command import app
from llama_index_medqa.cli.configuration.settings import (
    KEYS,
    UNTOUCHED_COMMANDS,
    defaults_of_commands,
    key_of,
    misspelt_variables,
    read_settings,
    variable_of,
)
from llama_index_medqa.cli.options import chosen_profile
from llama_index_medqa.errors import UsageError


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    """No settings but those of the test."""
    for name in list(os.environ):
        if name in {variable_of(key) for key in KEYS} | {"MEDQA_API_KEY", "NCBI_API_KEY"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture
def user_toml(tmp_path):
    path = tmp_path / "home" / "llama-index-medqa" / "medqa.toml"
    path.parent.mkdir(parents=True)
    return path


def read(tmp_path, text, environment=None):
    path = tmp_path / "medqa.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(environment or {}, [(path, True)])


def test_the_order_of_precedence(medqa, tmp_path, user_toml, monkeypatch):
    def index_and_origin():
        row = json.loads(medqa("config", "--json")[1])["settings"]["index"]
        return row["value"], row["from"]

    assert index_and_origin() == ("medqa_index", "default")
    user_toml.write_text('index = "of_user"\ntop_k = 7\n')
    assert index_and_origin() == ("of_user", str(user_toml))
    (tmp_path / "medqa.toml").write_text('index = "of_folder"\n')
    assert index_and_origin() == ("of_folder", "medqa.toml")
    # A file of the folder hides keys of the user's own file one by one.
    assert json.loads(medqa("config", "--json")[1])["settings"]["top_k"] == {"value": 7, "from": str(user_toml)}
    assert "/of_folder: build one first" in medqa("info")[2]
    monkeypatch.setenv("MEDQA_INDEX", "of_environment")
    assert index_and_origin() == ("of_environment", "MEDQA_INDEX")
    assert "/of_environment: build one first" in medqa("info")[2]
    assert "/of_option: build one first" in medqa("info", "--index", "of_option")[2]


def test_settings_reach_the_options_of_commands(medqa, tmp_path, monkeypatch):
    (tmp_path / "medqa.toml").write_text('llm = "server"\napi_base = "http://127.0.0.1:9/v1"\nindex = "nowhere"\n')
    assert "/nowhere: build one first" in medqa("ask", "Does tea help?")[2]
    monkeypatch.setenv("MEDQA_INDEX", "elsewhere")
    assert "/elsewhere: build one first" in medqa("ask", "Does tea help?")[2]
    settings = read_settings({"MEDQA_TYPE": "Review; Meta-Analysis", "MEDQA_WAIT": "no"})
    of_commands = defaults_of_commands(settings, get_command(app).commands, {})
    assert of_commands["ask"]["publication_type"] == ["Review", "Meta-Analysis"]
    assert of_commands["ask"]["llm"] == "server"
    assert of_commands["index"]["wait"] is False
    assert "llm" not in of_commands["index"]


def test_commands_whose_options_mean_something_else_are_left_alone():
    settings = read_settings({"MEDQA_INDEX": "mine", "MEDQA_ADAPTER": "medqa", "MEDQA_LLM": "extractive"})
    of_commands = defaults_of_commands(settings, get_command(app).commands, {})
    assert not UNTOUCHED_COMMANDS & of_commands.keys()
    assert {"demo", "serve"} <= UNTOUCHED_COMMANDS


def test_every_key_is_an_option_of_a_command():
    commands = get_command(app).commands
    options = {
        key_of(parameter)
        for name, command in commands.items()
        if name not in UNTOUCHED_COMMANDS
        for parameter in command.params
    }
    assert KEYS.keys() - options == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('indx = "a"', "there is no key 'indx': did you mean index?"),
        ("top-k = 5", "there is no key 'top-k': did you mean top_k?"),
        ("colour = 1", "`medqa config` lists the keys"),
        ('[ask]\nllm = "local"', "there is no table [ask]: keys stand at the top"),
        ('api_key = "sk-1"', "api_key does not belong in a file: set MEDQA_API_KEY or NCBI_API_KEY"),
        ('token = "x"', "token does not belong in a file"),
        ('api_base = "http://me:secret@example.org/v1"', "holds a password in its address"),
        ('top_k = "5"', "top_k must be a whole number, got '5'"),
        ("top_k = true", "top_k must be a whole number, got True"),
        ("top_k = 0", "top_k must be at least 1, not 0"),
        ("top_k = 1001", "top_k must be at most 1000, not 1001"),
        ('wait = "yes"', "wait must be a true or false"),
        ("journal = [1]", "journal must be a list of texts"),
        ('policy = "lenient"', "policy cannot be 'lenient': choose strict, mark, report"),
        ("index = ", "cannot be read"),
    ],
)
def test_what_a_file_cannot_say(tmp_path, text, message):
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert "medqa.toml" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MEDQA_TOP_K", "many", "MEDQA_TOP_K must be a whole number, got 'many'"),
        ("MEDQA_TOP_K", "0", "MEDQA_TOP_K must be at least 1"),
        ("MEDQA_WAIT", "maybe", "MEDQA_WAIT must be true or false"),
        ("MEDQA_LLM", "gpt", "MEDQA_LLM cannot be 'gpt': choose extractive, local, server"),
    ],
)
def test_what_a_variable_cannot_say(medqa, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    code, out, err = medqa("info")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_one_text_is_a_list_of_one_and_an_empty_variable_is_none(tmp_path):
    assert read(tmp_path, 'journal = "Circulation"')["journal"].value == ["Circulation"]
    assert read(tmp_path, 'journal = "A"', {"MEDQA_JOURNAL": ""})["journal"].value == ["A"]


@given(st.dictionaries(st.text(max_size=12), st.integers() | st.booleans() | st.text(max_size=5), max_size=4))
def test_any_file_is_read_or_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "medqa.toml"
    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in content.items()]
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        settings = read_settings({}, [(path, True)])
        assert settings.keys() <= KEYS.keys()
        assert settings.keys() == content.keys()


def test_no_key_is_sent_where_a_file_of_the_folder_says(medqa, tmp_path, user_toml, monkeypatch):
    """A folder that somebody else made must not choose who is sent the key of the environment."""
    (tmp_path / "medqa.toml").write_text('llm = "server"\napi_base = "http://models.example/v1"\n')
    monkeypatch.setenv("MEDQA_API_KEY", "sk-of-a-person")
    code, _, err = medqa("ask", "Does tea help?")
    assert (code, "would be sent MEDQA_API_KEY. Give --api-base yourself" in err) == (2, True)
    assert "There is no index" in medqa("ask", "Does tea help?", "--api-base", "http://127.0.0.1:9/v1")[2]
    assert "There is no index" in medqa("info")[2]
    (tmp_path / "medqa.toml").write_text('api_base = "http://127.0.0.1:9/v1"\n')
    assert "There is no index" in medqa("ask", "Does tea help?")[2]
    (tmp_path / "medqa.toml").unlink()
    user_toml.write_text('api_base = "http://models.example/v1"\n')
    assert "There is no index" in medqa("ask", "Does tea help?")[2]


def test_config_shows_what_holds(medqa, tmp_path, monkeypatch):
    (tmp_path / "medqa.toml").write_text('strictness = "open"\n')
    monkeypatch.setenv("MEDQA_TOPK", "5")
    code, out, _ = medqa("config")
    assert code == 0
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:5]]
        for cells in (line.split("│") for line in out.splitlines())
        if len(cells) > 4
    }
    assert rows["strictness"] == ["open", "medqa.toml", "MEDQA_STRICTNESS"]
    assert rows["policy"] == ["strict", "default", "MEDQA_POLICY"]
    assert "medqa.toml: read" in out
    assert "MEDQA_TOPK is set and is none of these variables: did you mean MEDQA_TOP_K?" in out


def test_variables_of_other_purposes_are_not_misspelt():
    others = (
        "MEDQA_CACHE_DIR",
        "MEDQA_API_KEY",
        "MEDQA_TOKEN",
        "MEDQA_SHARED_DATA",
        "MEDQA_VLLM_PYTHON",
        "MEDQA_EMAIL",
        "PATH",
    )
    assert misspelt_variables(dict.fromkeys(others, "x")) == {}


def test_version_and_short_help(medqa):
    code, out, _ = medqa("--version")
    assert (code, out.startswith("medqa 0.")) == (0, True)
    for arguments in (("-h",), ("ask", "-h"), ("adapter", "manifest", "-h"), ("chat", "-h")):
        code, out, _ = medqa(*arguments)
        assert (code, "Show this message and exit." in out) == (0, True)


def test_a_broken_file_does_not_keep_the_version_from_being_shown(medqa, tmp_path):
    (tmp_path / "medqa.toml").write_text("nonsense")
    assert medqa("--version")[0] == 0
    assert medqa("--help")[0] == 0


def test_a_shell_completes_commands_and_values(medqa, monkeypatch, capsys):
    assert "--install-completion" in medqa("--help")[1]
    monkeypatch.setenv("_MEDQA_COMPLETE", "complete_bash")
    for typed, words, expected in (
        ("medqa ch", 1, ["chat"]),
        ("medqa ask --llm ex", 3, ["extractive"]),
        ("medqa ask --policy ", 3, ["strict", "mark", "report"]),
    ):
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(words))
        with pytest.raises(SystemExit) as ended:
            get_command(app)(prog_name="medqa")
        assert (ended.value.code, capsys.readouterr().out.split()) == (0, expected)


def test_verbose_says_which_settings_hold(medqa, tmp_path, monkeypatch):
    logger = logging.getLogger("llama_index_medqa")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)
    (tmp_path / "medqa.toml").write_text('index = "nowhere"\n')
    err = medqa("ask", "Does tea help?", "--verbose")[2]
    assert "index = 'nowhere' (medqa.toml)" in err
    assert "index = 'nowhere'" not in medqa("ask", "Does tea help?")[2]


def test_an_adapter_of_the_settings_is_no_hindrance_to_quotes(medqa, monkeypatch):
    assert chosen_profile("mistral7b", llm="extractive").adapter is None
    monkeypatch.setenv("MEDQA_ADAPTER", "medqa")
    assert "There is no index" in medqa("ask", "Does tea help?", "--llm", "extractive")[2]
    assert "--adapter other needs a model" in medqa("ask", "x?", "--llm", "extractive", "--adapter", "other")[2]
