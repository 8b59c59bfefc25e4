"""TLS between the proxy and its targets and on its API, with certificates on both sides (hub-protocol §14.7)."""

import hashlib
import os
import ssl

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only
from tests.conformance.test_proxy_api import run_until_end
from tests.support.certificates import make_certificate


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return {"server": make_certificate(folder, "server"), "client": make_certificate(folder, "client"),
            "stranger": make_certificate(folder, "stranger"),
            "elsewhere": make_certificate(folder, "elsewhere", "DNS:other.test,IP:127.0.0.2")}


def serving(pair, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def asking(trusted, pair=None):
    context = ssl.create_default_context(cafile=trusted)
    if pair:
        context.load_cert_chain(*pair)
    return context


def flags(side, pair=None, authorities=None):
    words = ["--" + side + "ssl-cert", str(pair[0]), "--" + side + "ssl-key", str(pair[1])] if pair else []
    if authorities:
        words += ["--" + side + "ssl-ca", str(authorities), "--" + side + "ssl-request-cert",
                  "--" + side + "ssl-reject-unauthorized"]
    return words


@pytest.fixture(scope="module")
def secure(pairs):
    one = peers.Proxy("--workers", "1", *flags("client-", pairs["client"], pairs["server"][0]))
    yield one
    one.close()


def test_requests_reach_an_https_target_and_share_its_connection(secure, target, pairs):
    one = target(tls=serving(pairs["server"], pairs["client"][0]))
    secure.add("/https", one)
    for _ in range(3):
        assert secure.request(path="/https/a?b=c").status == 200
    assert one.seen[0].target == "/https/a?b=c" and len(one.connections) == 1
    assert secure.routes()["/https"]["target"] == one.url


@pytest.mark.parametrize("size", [0, 1, 100_000, 20_000_000])
def test_bodies_are_whole_both_ways(secure, target, pairs, size):
    data = os.urandom(size)
    one = target(lambda seen: peers.answer(seen.body), tls=serving(pairs["server"]))
    secure.add("/whole", one)
    answer = secure.request("POST", "/whole", data)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


def test_websocket(secure, target, pairs):
    secure.add("/ws", target(peers.websocket_echo, tls=serving(pairs["server"])))
    web_socket = peers.WebSocket(secure, "/ws")
    assert web_socket.receive() == b"hello"
    for payload in (b"x", b"y" * 70_000):
        web_socket.send(payload)
        assert web_socket.receive() == payload


def test_an_answer_that_breaks_off_is_not_taken_for_whole(secure, target, pairs):
    secure.add("/cut", target(lambda seen: seen.socket.sendall(peers.answer(b"half")[:-2]), tls=serving(pairs["server"])))
    with pytest.raises(Exception):
        secure.request(path="/cut")


@pytest.mark.parametrize("shown", ["stranger", "elsewhere"])
def test_a_target_that_is_not_who_it_should_be_gets_nothing(secure, start, target, pairs, shown):
    one = target(tls=serving(pairs[shown]))
    trusting_all = start(*flags("client-", authorities=pairs["elsewhere"][0]))
    for proxy in (secure, trusting_all):
        proxy.add("/wrong", one)
        answer = proxy.request("POST", "/wrong", b"secret")
        assert answer.status == 503
    assert one.seen == []
    careless = start("--insecure")
    careless.add("/wrong", one)
    assert careless.request(path="/wrong").status == 200


def test_a_target_that_asks_for_a_certificate_refuses_who_has_none(start, target, pairs):
    one = target(tls=serving(pairs["server"], pairs["client"][0]))
    nobody = start("--client-ssl-ca", str(pairs["server"][0]))
    nobody.add("/", one)
    assert nobody.request(path="/").status == 503
    assert one.seen == []


def test_plain_targets_are_spoken_to_as_before(secure, target):
    one = target()
    secure.add("/plain", one)
    assert secure.request(path="/plain").status == 200
    silent = target(lambda seen: None)
    silent.url = silent.url.replace("http:", "https:")
    secure.add("/not-https", silent)
    assert secure.request(path="/not-https").status == 503


def test_the_error_page_may_come_from_an_https_server(start, target, pairs):
    hub = target(lambda seen: peers.answer(b"from the hub: " + seen.target.encode()), tls=serving(pairs["server"]))
    proxy = start("--error-target", hub.url + "/hub/error", *flags("client-", authorities=pairs["server"][0]))
    answer = proxy.request(path="/nowhere")
    assert answer.status == 404 and answer.body.startswith(b"from the hub: /hub/error/404")


def test_the_api_lets_in_who_shows_a_certificate(start, target, pairs):
    proxy = start(*flags("api-", pairs["server"], pairs["client"][0]),
                  api_tls=asking(pairs["server"][0], pairs["client"]))
    one = target()
    proxy.add("/through", one)
    assert proxy.request(path="/through").status == 200
    for shown in (None, pairs["stranger"]):
        proxy.api_tls = asking(pairs["server"][0], shown)
        with pytest.raises(OSError):
            proxy.api("GET", "/api/routes")


def test_the_public_side_lets_in_who_shows_a_certificate(start, target, pairs):
    proxy = start(*flags("", pairs["server"], pairs["client"][0]), tls=asking(pairs["server"][0], pairs["client"]))
    proxy.add("/", target())
    assert proxy.request(path="/").status == 200
    proxy.tls = asking(pairs["server"][0])
    with pytest.raises((OSError, AssertionError, peers.http.client.HTTPException)):
        assert proxy.request(path="/").status == 200


@berth_only
@pytest.mark.parametrize("wrong, said", [
    (["--client-ssl-cert", "/etc/hostname"], "--client-ssl-key"),
    (["--client-ssl-ca", "/nowhere.crt"], "/nowhere.crt"),
    (["--api-ssl-cert", "/nowhere.crt", "--api-ssl-key", "/nowhere.key"], "/nowhere.crt"),
    (["--api-ssl-request-cert", "--api-ssl-reject-unauthorized"], "--api-ssl-ca")])
def test_says_what_is_wrong(wrong, said):
    done = run_until_end("--port", str(peers.free_port()), *wrong)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
