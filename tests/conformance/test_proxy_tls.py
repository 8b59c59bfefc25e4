"""TLS on the public side, with certificates that OpenSSL's own program makes (hub-protocol §14.7)."""

import hashlib
import os
import shutil
import signal
import socket
import ssl
import urllib.error
import urllib.request

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only
from tests.conformance.test_proxy_api import run_until_end
from tests.support.certificates import make_certificate


def trusting(*certificates):
    context = ssl.create_default_context()
    for certificate in certificates:
        context.load_verify_locations(certificate)
    return context


def flags_of(pair):
    return ["--ssl-cert", str(pair[0]), "--ssl-key", str(pair[1])]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "first")


@pytest.fixture(scope="module")
def secure(pair):
    one = peers.Proxy(*flags_of(pair), tls=trusting(pair[0]))
    yield one
    one.close()


def test_requests_arrive_and_say_that_they_were_secure(secure, target):
    one = target()
    secure.add("/tls", one)
    answer = secure.request(path="/tls/a?b=c", headers={"Host": "hub.test"})
    assert answer.status == 200
    seen = one.seen[0]
    assert (seen.target, seen.get("x-forwarded-proto"), seen.get("x-forwarded-port")) == ("/tls/a?b=c", "https", "443")


@pytest.mark.parametrize("size", [0, 1, 100_000, 20_000_000])
def test_bodies_are_whole_both_ways(secure, target, size):
    data = os.urandom(size)
    one = target(lambda seen: peers.answer(seen.body))
    secure.add("/whole", one)
    answer = secure.request("POST", "/whole", data)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


def test_websocket(secure, target):
    one = target(peers.websocket_echo)
    secure.add("/ws", one)
    web_socket = peers.WebSocket(secure, "/ws")
    assert " 101 " in web_socket.head
    assert web_socket.receive() == b"hello"
    for payload in (b"x", b"y" * 70_000):
        web_socket.send(payload)
        assert web_socket.receive() == payload
    assert one.seen[0].get("x-forwarded-proto") == "wss"


def handshake(proxy, pair, version):
    context = trusting(pair[0])
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", proxy.port), 10), server_hostname="hub.test") as sock:
        return sock.version(), sock.cipher()[0]


@berth_only
def test_old_versions_are_refused_and_ciphers_are_modern(secure, pair):
    assert handshake(secure, pair, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    version, cipher = handshake(secure, pair, ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2" and cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(secure, pair, ssl.TLSVersion.TLSv1_1)


def test_plain_http_gets_nothing(secure, target):
    secure.add("/plain", target())
    with socket.create_connection(("127.0.0.1", secure.port), 10) as sock:
        sock.sendall(b"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200 OK" not in peers.read_rest(sock)


def test_the_end_of_the_target_reaches_the_client_and_back(secure, target):
    """Closing either side is seen by the other, and nothing stays open."""
    one = target(lambda seen: peers.answer(b"half")[:-2])
    secure.add("/cut", one)
    with pytest.raises(Exception):
        secure.request(path="/cut")
    held = target(lambda seen: seen.socket.recv(1) and None)
    secure.add("/held", held)
    sock = secure.connect()
    sock.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
    assert peers.wait_until(lambda: held.seen)
    sock.close()
    assert peers.wait_until(lambda: held.open == 0), "the request outlived its client"


@berth_only
@pytest.mark.parametrize("how", ["seen by itself", "told by SIGHUP"])
def test_a_new_certificate_is_taken_without_losing_a_connection(start, target, tmp_path, how):
    first, second = make_certificate(tmp_path, "old"), make_certificate(tmp_path, "new")
    used = tmp_path / "used.crt", tmp_path / "used.key"
    for path, source in zip(used, first):
        shutil.copy(source, path)
    proxy = start(*flags_of(used), tls=trusting(first[0], second[0]))
    proxy.add("/ws", target(peers.websocket_echo))
    web_socket = peers.WebSocket(proxy, "/ws")
    assert web_socket.receive() == b"hello"

    def subject():
        with proxy.connect() as sock:
            return dict(part[0] for part in sock.getpeercert()["subject"])["commonName"]

    assert subject() == "old"
    used[1].write_text("no key at all")  # half a renewal: the old pair stays in force
    proxy.process.send_signal(signal.SIGHUP)
    assert peers.wait_until(lambda: "proxy.certificate_refused" in proxy.read_log())
    assert subject() == "old"
    for path, source in zip(used, second):
        fresh = path.with_suffix(".tmp")
        shutil.copy(source, fresh)
        fresh.rename(path)
    if how == "told by SIGHUP":
        proxy.process.send_signal(signal.SIGHUP)
    assert peers.wait_until(lambda: subject() == "new", 10)
    web_socket.send(b"still here")
    assert web_socket.receive() == b"still here"


def location_of(port, path, host):
    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *more):
            return None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.build_opener(NoRedirect).open(request, timeout=10)
    return answer.value.code, answer.value.headers["Location"]


@pytest.mark.parametrize("flags, want", [([], None), (["--redirect-to", "8443"], ":8443"),
                                         pytest.param(["--redirect-to", "443"], "", marks=berth_only)])
def test_http_is_sent_to_https(start, pair, flags, want):
    port = peers.free_port()
    proxy = start(*flags_of(pair), "--redirect-port", str(port), *flags, tls=trusting(pair[0]))
    want = f":{proxy.port}" if want is None else want
    assert location_of(port, "/user/a%40b/lab?x=1&y=%2F", "hub.test") == \
        (301, f"https://hub.test{want}/user/a%40b/lab?x=1&y=%2F")
    assert location_of(port, "/", f"hub.test:{port}") == (301, f"https://hub.test{want}/")


@berth_only
@pytest.mark.parametrize("flags, said", [
    (["--ssl-cert", "/nowhere.crt", "--ssl-key", "/nowhere.key"], "/nowhere.crt"),
    (["--ssl-cert", "/etc/hostname"], "--ssl-key"),
    (["--ssl-cert", "/etc/hostname", "--ssl-key", "/etc/hostname"], "/etc/hostname"),
    (["--redirect-port", "1"], "--ssl-cert")])
def test_says_what_is_wrong_with_the_files(flags, said):
    done = run_until_end("--port", str(peers.free_port()), *flags)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
