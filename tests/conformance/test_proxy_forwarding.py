"""What the proxy does to requests and answers on their way (hub-protocol §8.5, §14.3 to §14.7, §14.11)."""

import gzip
import json
import threading
import time

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only


def seen_by_target(response):
    return json.loads(response.body)


def test_activity_moves_with_success_only(proxy, target):
    status = ["200 OK"]
    proxy.add("/busy", target(lambda seen: peers.answer(b"x", status[0])))
    first = proxy.last_activity("/busy")
    time.sleep(0.01)
    proxy.request(path="/busy")
    second = proxy.last_activity("/busy")
    assert second > first
    for status[0] in ("302 Found", "404 Not Found", "500 Internal Server Error"):
        time.sleep(0.01)
        proxy.request(path="/busy")
    assert proxy.last_activity("/busy") == second


def test_keeps_connections_alive(proxy, target):
    proxy.add("/alive", target())
    response = proxy.request(path="/alive")
    assert response.getheader("Connection").lower() == "keep-alive"
    response.connection.request("GET", "/alive/2")
    assert response.connection.getresponse().status == 200


def test_prefers_the_longest_prefix_of_components(proxy, target):
    for path in ("/b", "/b/c", "/b/c/d/e"):
        proxy.add(path, target(lambda seen, path=path: peers.answer(path.encode())))
    want = {"/b": "/b", "/b/": "/b", "/b/x": "/b", "/b/cword": "/b", "/b/c": "/b/c", "/b/c/": "/b/c", "/b/c/d": "/b/c",
            "/b/c/d/e?q=/": "/b/c/d/e", "/b/c/d/e/f/g": "/b/c/d/e", "/b//c": "/b"}
    assert {path: proxy.request(path=path).body.decode() for path in want} == want


def test_paths_go_through_byte_for_byte(proxy, target):
    proxy.add("/user/foo%40bar%20x", target())
    for path in ("/user/foo%40bar%20x/%2F//b%7e", "/user/foo@bar%20x", "/user/foo%40bar%20x?q=%20&r=a+b/c?d"):
        assert seen_by_target(proxy.request(path=path))["target"] == path


@berth_only
def test_dot_segments_go_through(proxy, target):
    proxy.add("/dots", target())
    assert seen_by_target(proxy.request(path="/dots/a/../b/./c"))["target"] == "/dots/a/../b/./c"


@berth_only
def test_names_of_javascript_members_are_names(start, target):
    proxy = start()
    proxy.add("/a", target())
    for path in ("/constructor", "/__proto__", "/a/hasOwnProperty", "/toString/x"):
        assert proxy.request(path=path).status == (200 if path.startswith("/a/") else 404)


def test_prepends_the_path_of_the_target(proxy, target):
    one = target()
    proxy.add("/bar", one.url + "/foo")
    assert seen_by_target(proxy.request(path="/bar/rest/it?x=1"))["target"] == "/foo/bar/rest/it?x=1"


@pytest.mark.parametrize("flags, want", [
    ([], "/foo/bar/rest"), (["--no-prepend-path"], "/bar/rest"), (["--no-include-prefix"], "/foo/rest"),
    (["--no-include-prefix", "--no-prepend-path"], "/rest")])
def test_prefix_and_path_flags(start, target, flags, want):
    proxy, one = start(*flags), target()
    proxy.add("/bar", one.url + "/foo")
    assert seen_by_target(proxy.request(path="/bar/rest"))["target"] == want


def test_forwarded_fields(proxy, target):
    one = target()
    proxy.add("/fwd", one)
    proxy.request(path="/fwd", headers={"Host": "hub.example.org:8443"})
    first = one.seen[-1]
    assert first.all("Host") == ["hub.example.org:8443"]
    assert (first.get("X-Forwarded-For"), first.get("X-Forwarded-Port"), first.get("X-Forwarded-Proto")) == \
        ("127.0.0.1", "8443", "http")
    assert first.get("X-Forwarded-Host") == "hub.example.org:8443"
    proxy.request(path="/fwd", headers={"Host": "h", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Port": "443",
                                        "X-Forwarded-Proto": "https", "X-Forwarded-Host": "outer"})
    second = one.seen[-1]
    assert second.all("X-Forwarded-For") == ["1.2.3.4,127.0.0.1"]
    assert second.all("X-Forwarded-Port") == ["443,80"]
    assert second.all("X-Forwarded-Proto") == ["https,http"]
    assert second.all("X-Forwarded-Host") == ["outer"]


def test_no_x_forward_and_change_origin(start, target):
    one = target()
    proxy = start("--default-target", one.url, "--no-x-forward", "--change-origin")
    proxy.request(headers={"Host": "public"})
    assert not [name for name, _ in one.seen[0].fields if name.lower().startswith("x-forwarded")]
    assert one.seen[0].get("Host") == f"127.0.0.1:{one.port}"


@berth_only
def test_hop_by_hop_fields_end_here(proxy, target):
    one = target(lambda seen: peers.answer(b"x", fields=["Connection: X-Theirs, keep-alive", "X-Theirs: 1",
                                                         "Keep-Alive: timeout=5", "Proxy-Connection: x", "X-Kept: 1"]))
    proxy.add("/hop", one)
    response = proxy.request(path="/hop", headers={
        "Connection": "X-Mine, close", "X-Mine": "1", "Keep-Alive": "1", "TE": "trailers", "Trailer": "X-T",
        "Proxy-Connection": "keep-alive", "Upgrade": "h2c", "X-Kept": "1"})
    for name in ("X-Mine", "Keep-Alive", "TE", "Trailer", "Proxy-Connection", "Upgrade"):
        assert one.seen[0].get(name) is None, name
    assert one.seen[0].get("X-Kept") == response.getheader("X-Kept") == "1"
    assert response.getheader("X-Theirs") is None
    assert response.getheader("Keep-Alive") is None


def test_answers_keep_their_fields(proxy, target):
    proxy.add("/cookies", target(lambda seen: peers.answer(b"x", fields=["Set-Cookie: a=1", "Set-Cookie: b=2; Path=/"])))
    assert proxy.request(path="/cookies").headers.get_all("Set-Cookie") == ["a=1", "b=2; Path=/"]


@pytest.mark.parametrize("flags, want", [
    ([], "{target}/next?x"), (["--auto-rewrite"], "http://public:1/next?x"),
    (["--protocol-rewrite", "https"], "https{rest}/next?x")])
def test_location(start, target, flags, want):
    one = target()
    one.reply = lambda seen: peers.answer(b"", "302 Found", [f"Location: {one.url}/next?x"])
    proxy = start("--default-target", one.url, *flags)
    location = proxy.request(headers={"Host": "public:1"}).getheader("Location")
    assert location == want.format(target=one.url, rest=one.url.removeprefix("http"))


# Errors.


def test_no_route_is_404_with_a_page(proxy):
    response = proxy.request(path="/nobody/here")
    assert response.status == 404
    assert response.getheader("Content-Type").startswith("text/html")
    assert b"404:" in response.body


def test_dead_target_is_503_with_a_page(proxy):
    proxy.add("/dead", f"http://127.0.0.1:{peers.free_port()}")
    before = proxy.last_activity("/dead")
    time.sleep(0.01)
    response = proxy.request(path="/dead/x")
    assert (response.status, response.getheader("Content-Type").split(";")[0]) == (503, "text/html")
    assert b"503:" in response.body
    assert proxy.last_activity("/dead") == before


def test_broken_escape_is_500(proxy):
    response = proxy.request(path="/%")
    assert (response.status, response.getheader("Content-Type").split(";")[0]) == (500, "text/html")


def test_error_target(start, target):
    page = gzip.compress(b"sorry")
    errors = target(lambda seen: peers.answer(page, "200 OK", ["Content-Type: text/x-page", "Content-Encoding: gzip"]))
    proxy = start("--error-target", errors.url + "/base/error")
    proxy.add("/dead", f"http://127.0.0.1:{peers.free_port()}")
    response = proxy.request(path="/dead/x?a=b")
    assert (response.status, response.body) == (503, page)
    assert (response.getheader("Content-Type"), response.getheader("Content-Encoding")) == ("text/x-page", "gzip")
    assert errors.seen[-1].target == "/base/error/503?url=%2Fdead%2Fx%3Fa%3Db"
    assert proxy.request(path="/none").status == 404
    errors.close()
    assert proxy.request(path="/none").status == 404


def test_error_path(start, short_folder):
    (short_folder / "404.html").write_text("my 404")
    (short_folder / "error.html").write_text("my error")
    proxy = start("--error-path", str(short_folder))
    proxy.add("/dead", f"http://127.0.0.1:{peers.free_port()}")
    assert proxy.request(path="/none").body == b"my 404"
    assert proxy.request(path="/dead").body == b"my error"


def test_target_that_does_not_answer_in_time(start, target):
    proxy = start("--proxy-timeout", "300", "--default-target", target(lambda seen: time.sleep(5)).url)
    began = time.monotonic()
    assert proxy.request().status == 503
    assert time.monotonic() - began < 3


@berth_only
@pytest.mark.parametrize("bad", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                                 b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                 b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n"])
def test_malformed_answer_is_503(proxy, target, bad):
    proxy.add("/malformed", target(lambda seen: bad))
    response = proxy.request(path="/malformed")
    assert response.status in (502, 503)
    assert b"nonsense" not in response.body


# Connections to the target.


def test_reuses_connections_to_the_target(proxy, target):
    one = target()
    proxy.add("/reuse", one)
    first = proxy.request(path="/reuse").connection
    for _ in range(5):
        first.request("GET", "/reuse")
        first.getresponse().read()
    assert len(one.connections) == 1


@berth_only
def test_request_on_a_stale_connection_is_sent_again(start, target):
    """The second request on each connection is met by a close, as when a container was replaced."""
    served = set()

    def once(seen):
        if seen.socket in served:
            return None
        served.add(seen.socket)
        return peers.answer(seen.body or b"ok")

    one = target(once)
    proxy = start("--default-target", one.url, "--workers", "1")
    for _ in range(4):
        assert proxy.request().body == b"ok"
    assert proxy.request("PUT", body=b"kept").body == b"kept"
    assert proxy.request("PUT", body=b"kept").body == b"kept"


@berth_only
def test_post_is_never_sent_twice(start, target):
    served = set()

    def once(seen):
        if seen.socket in served:
            return None
        served.add(seen.socket)
        return peers.answer(b"ok")

    one = target(once)
    proxy = start("--default-target", one.url, "--workers", "1")
    assert proxy.request("POST", body=b"1").status == 200
    assert proxy.request("POST", body=b"2").status == 503
    assert len([seen for seen in one.seen if seen.body == b"2"]) == 1


def test_client_that_leaves_ends_the_request_at_the_target(proxy, target):
    gone = threading.Event()

    def wait_for_end(seen):
        seen.socket.settimeout(5)
        if not seen.socket.recv(1):
            gone.set()

    one = target(wait_for_end)
    proxy.add("/left", one)
    sock = proxy.connect()
    sock.sendall(b"GET /left HTTP/1.1\r\nHost: h\r\n\r\n")
    assert peers.wait_until(lambda: one.seen)
    sock.close()
    assert gone.wait(5)


def test_target_that_dies_in_the_middle_cuts_the_answer(proxy, target):
    def half(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    proxy.add("/half", target(half))
    got = proxy.raw(b"GET /half HTTP/1.1\r\nHost: h\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200") and got.endswith(b"half")


def test_target_by_unix_socket_and_by_name(proxy, target, short_folder):
    proxy.add("/unix", target(path=short_folder / "s"))
    assert proxy.request(path="/unix/x").status == 200
    proxy.add("/name", f"http://localhost:{target().port}")
    assert proxy.request(path="/name/x").status == 200
