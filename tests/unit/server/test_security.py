"""The settings of the gate, tokens and rates; what they hold off is in ``test_attacks``."""

import httpx
import pytest

from llama_index_medqa.errors import InputError, UsageError
from llama_index_medqa.server.guards.rate_limit import RateLimit
from llama_index_medqa.server.guards.sign_in import read_token
from llama_index_medqa.server.security import SecuritySettings, is_loopback
from tests.unit.server.serving import TOKEN, service_of, serving


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_addresses_that_only_this_machine_reaches(host):
    assert is_loopback(host)
    assert SecuritySettings(host=host).rate == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""])
def test_addresses_that_others_reach(host):
    assert not is_loopback(host)
    assert SecuritySettings(host=host, token=TOKEN).rate == 120
    assert SecuritySettings(host=host, token=TOKEN, requests_a_minute=0).rate == 0


@pytest.mark.parametrize("name", ["most_body_bytes", "body_seconds", "head_seconds"])
def test_a_limit_that_lets_nothing_through_is_refused(name):
    with pytest.raises(InputError, match=f"{name} must be above 0"):
        SecuritySettings(**{name: 0})


def test_a_token_comes_from_a_file_or_else_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    environment = {"MEDQA_TOKEN": "another-token-of-these-tests"}
    assert read_token(file, environment) == TOKEN
    assert read_token(None, environment) == "another-token-of-these-tests"
    assert read_token(None, {}) is None


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with a space in the middle", "with-an-umlaut-ä-in-it"])
def test_a_weak_token_is_refused(tmp_path, token):
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")
    with pytest.raises(InputError, match="at least 16 visible ASCII characters") as caught:
        read_token(file, {})
    assert not token or token not in str(caught.value)


def test_settings_do_not_show_their_token():
    assert TOKEN not in repr(SecuritySettings(token=TOKEN))


def test_a_missing_token_file_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "nothing", {})


def test_a_bucket_is_emptied_and_fills_up_again():
    now = 0.0
    limit = RateLimit(60, lambda: now)
    for _ in range(60):
        assert limit.seconds_until_free("a") == 0
        limit.take("a")
    assert limit.seconds_until_free("a") == pytest.approx(1.0)
    assert limit.seconds_until_free("b") == 0
    now = 0.5
    assert limit.seconds_until_free("a") == pytest.approx(0.5)
    now = 1.0
    assert limit.seconds_until_free("a") == 0
    limit.take("a")
    assert limit.seconds_until_free("a") == pytest.approx(1.0)
    now = 1_000.0
    for _ in range(60):
        assert limit.seconds_until_free("a") == 0
        limit.take("a")
    assert limit.seconds_until_free("a") > 0


def test_names_that_are_allowed_are_ours(index):
    settings = SecuritySettings(allowed_hosts=("medqa.example.org",))
    with serving(service_of(index), settings) as address, httpx.Client(base_url=address) as client:

        def status(host: str, **headers: str) -> int:
            return client.get("/v1/models", headers={"Host": host, **headers}).status_code

        assert status("medqa.example.org") == 200
        assert status("MedQA.example.org.:443") == 200
        assert status("localhost:1") == 200
        assert status("127.0.0.1") == 200
        assert status("other.example.org") == 421
        assert status("medqa.example.org", Origin="https://medqa.example.org") == 200
        assert status("medqa.example.org", Origin="https://other.example.org") == 403


def test_a_trusted_proxy_says_who_asks(index):
    settings = SecuritySettings(requests_a_minute=2)
    with serving(service_of(index), settings, ["127.0.0.1"]) as address, httpx.Client(base_url=address) as client:

        def codes(client_address: str) -> list[int]:
            headers = {"X-Forwarded-For": client_address}
            return [client.get("/v1/models", headers=headers).status_code for _ in range(3)]

        assert codes("203.0.113.9") == [200, 200, 429]
        assert codes("203.0.113.10") == [200, 200, 429]


def test_its_own_page_and_links_to_it_are_let_in(index):
    with serving(service_of(index)) as address, httpx.Client(base_url=address) as client:
        own = {"Origin": address, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        assert client.get("/api/status", headers=own).status_code == 200
        typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert client.get("/api/docs", headers=typed).status_code == 200
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert client.get("/", headers=link).status_code == 200
