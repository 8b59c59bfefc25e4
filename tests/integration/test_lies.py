"""Cookies, tokens, `next`, heads and bodies that lie or are too large."""

import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.hub import OPS_TOKEN
from tests.support.person import NAVIGATE

EVIL_NEXT = ["https://evil.example/", "//evil.example/", "///evil.example/", "/\\evil.example", "\\\\evil.example",
             "http:evil.example", "javascript:alert(1)", "{hub}//evil.example/x", "https://evil.example\\@{host}/"]


@pytest.fixture
def hub(local_berth):
    return local_berth()


def test_next_never_leaves_the_hub(hub):
    host = urlsplit(hub.url).netloc
    for next_url in EVIL_NEXT:
        said = next_url.format(hub=hub.url, host=host)
        answer = hub.person("ann").login(said)
        assert answer.status_code == 302, f"{said}: {answer.status_code}"
        where = answer.headers["Location"]
        assert where.startswith("/") and not where.startswith(("//", "/\\")), f"{said} led to {where}"


def test_next_within_the_hub_is_followed(hub):
    assert hub.person("ann").login("/hub/token").headers["Location"] == "/hub/token"
    assert hub.person("ann").login(hub.url + "/hub/token").headers["Location"] == "/hub/token"


def test_login_cookie_that_lies_is_nobody(hub):
    ann = hub.person("ann").signed_in()
    real = ann.cookie("jupyterhub-hub-login", "/hub/")
    assert real
    for lie in ("", "x", real[:-2] + ("AA" if not real.endswith("AA") else "BB"), real + "x", "2|1:0|10:1|" + "9" * 4000):
        answer = requests.get(f"{hub.url}/hub/home", headers={**NAVIGATE, "Cookie": f"jupyterhub-hub-login={lie}"},
                              allow_redirects=False, timeout=20)
        assert answer.status_code == 302 and "/hub/login" in answer.headers["Location"], lie[:40]


def test_wrong_password_and_missing_xsrf(hub):
    wrong = hub.person("ann", "not the password").login()
    assert wrong.status_code == 403 and "Invalid username or password" in wrong.text
    bare = requests.post(f"{hub.url}/hub/login", data={"username": "ann", "password": "pw"}, headers=NAVIGATE,
                         allow_redirects=False, timeout=20)
    assert bare.status_code == 403
    ann = hub.person("ann").signed_in()
    forged = ann.hub_api("POST", "/users/ann/tokens", json={}, headers={"X-XSRFToken": "forged"})
    assert forged.status_code == 403
    cross = ann.hub_api("POST", "/users/ann/server", json={}, headers={"X-XSRFToken": "", "Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403


def test_failed_tries_are_slowed(hub):
    mallory = hub.person("ann", "guess")
    statuses = [mallory.login().status_code for _ in range(12)]
    assert statuses[0] == 403 and 429 in statuses, statuses
    assert hub.person("ann").login().status_code in (302, 429)


def test_tokens_that_lie(hub):
    for lie in ("", "x", "0" * 32, "0" * 65, "a" * 5000, "Bearer " + OPS_TOKEN, OPS_TOKEN[:-1], OPS_TOKEN + "0"):
        answer = requests.get(f"{hub.url}/hub/api/users", headers={"Authorization": f"token {lie}"}, timeout=20)
        assert answer.status_code in (400, 403, 431), f"{lie[:20]}…: {answer.status_code}"
    assert requests.get(f"{hub.url}/hub/home?token={OPS_TOKEN}", timeout=20, allow_redirects=False,
                        headers=NAVIGATE).status_code == 302


def test_token_of_a_deleted_user_is_dead(hub):
    ann = hub.person("ann").signed_in()
    token = ann.hub_api("POST", "/users/ann/tokens", json={}).json()["token"]
    assert hub.api("GET", "/user", token).json()["name"] == "ann"
    assert hub.api("DELETE", "/users/ann").status_code == 204
    assert hub.api("GET", "/user", token).status_code == 403
    assert "/hub/login" in ann.get("/hub/home").url


def test_revoked_and_scoped_tokens(hub):
    ann = hub.person("ann").signed_in()
    made = ann.hub_api("POST", "/users/ann/tokens", json={"scopes": ["read:users!user=ann"]}).json()
    assert hub.api("GET", "/users/ann", made["token"]).status_code == 200
    assert hub.api("POST", "/users/ann/server", made["token"], json={}).status_code in (403, 404)
    too_much = ann.hub_api("POST", "/users/ann/tokens", json={"scopes": ["admin:users"]})
    assert too_much.status_code in (400, 403)
    assert ann.hub_api("DELETE", f"/users/ann/tokens/{made['id']}").status_code == 204
    assert hub.api("GET", "/users/ann", made["token"]).status_code == 403


def raw(hub, data, limit=65536):
    """Sends bytes as they are and returns the first line of what comes."""
    address = urlsplit(hub.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass
        seen = b""
        try:
            while b"\r\n" not in seen and len(seen) < limit and (more := connection.recv(4096)):
                seen += more
        except OSError:
            pass
        return seen.split(b"\r\n")[0].decode("latin-1")


@pytest.mark.parametrize("head", [
    b"POST /hub/api/users HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /hub/api/users HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"GET /hub/api/ HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    b"GET /hub/api/ HTTP/1.1\r\nHost : h\r\n\r\n",
    b"POST /hub/api/users HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /hub/api/ HTTP/1.1\nHost: h\n\n",
], ids=["both-lengths", "two-lengths", "two-hosts", "space-before-colon", "chunked-in-1.0", "bare-lf"])
def test_doubtful_framing_is_refused(hub, head):
    assert " 400 " in raw(hub, head) + " "


def test_head_over_the_limit(hub):
    said = raw(hub, b"GET /hub/api/ HTTP/1.1\r\nHost: h\r\nX-Long: " + b"a" * 300_000 + b"\r\n\r\n")
    assert " 431 " in said + " " or " 400 " in said + " ", said
    long_path = raw(hub, b"GET /hub/" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert any(f" {code} " in long_path + " " for code in (400, 414, 431)), long_path


def test_body_over_the_limit(hub):
    answer = hub.api("POST", "/users", data=b'{"usernames": ["' + b"a" * (32 << 20) + b'"]}',
                     headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, answer.status_code
    assert requests.get(f"{hub.url}/hub/health", timeout=10).status_code == 200
