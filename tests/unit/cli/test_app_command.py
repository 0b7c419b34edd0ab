"""The command ``medqa app``, as far as it goes without models; the rest is in ``tests/integration/test_app_server``."""

import socket

import pytest

from llama_index_medqa.cli import app_commands


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("MEDQA_TOKEN", raising=False)


def test_a_port_in_use_is_said_before_anything_is_loaded(medqa):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, error = medqa("app", "--port", port, "--index", "nowhere")
    assert (code, out) == (1, "")
    assert error == (
        f"Error: Port {port} at 127.0.0.1 is in use: stop what listens there, or choose another with --port (0 takes a "
        "free one).\n"
    )


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "At 0.0.0.0 other machines can reach the server: give it a token with --token-file"),
        (["--host", "203.0.113.1", "--token-file", "token"], 1, "Nothing can listen at 203.0.113.1"),
        (["--host", "no.such.host.invalid", "--token-file", "token"], 1, "is no address of this machine"),
        (["--token-file", "short"], 1, "The token in short must have at least 16 visible ASCII characters."),
        (["--token-file", "nothing"], 2, "The token file nothing cannot be read"),
        (["--llm", "magic"], 2, "--llm cannot be 'magic'"),
        ([], 1, "nowhere"),
    ],
)
def test_what_cannot_be_served_is_one_line(medqa, tmp_path, monkeypatch, options, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("a-token-for-these-tests-only")
    (tmp_path / "short").write_text("short")
    found, out, error = medqa("app", "--port", 0, "--index", "nowhere", *options)
    assert (found, out) == (code, "")
    assert said in error
    assert error.count("\n") == 1


def test_a_missing_library_is_said_with_its_extra(medqa, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, error = medqa("app", "--index", "nowhere")
    assert code == 1
    assert "medqa app needs the extra 'server'" in error


def test_a_socket_that_failed_to_bind_is_closed(monkeypatch):
    from llama_index_medqa.errors import InputError

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="in use"):
        app_commands._bound("127.0.0.1", taken.getsockname()[1])
