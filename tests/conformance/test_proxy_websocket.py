"""WebSockets through the proxy: heads both ways, then a raw tunnel (hub-protocol §8.5.7, §14.4, §14.6)."""

import os
import signal
import threading
import time

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only


def test_echo_with_its_fields(proxy, target):
    one = target(peers.websocket_echo)
    proxy.add("/ws", one)
    socket_ = peers.WebSocket(proxy, "/ws/channels?session_id=1", "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n")
    assert socket_.head.startswith("HTTP/1.1 101")
    head = socket_.head.lower()
    for field in ("upgrade: websocket", "connection: upgrade", f"sec-websocket-accept: {peers.ACCEPT.lower()}",
                  "sec-websocket-protocol: v1.kernel.websocket.jupyter.org", "set-cookie: a=1"):
        assert field in head
    assert "content-length" not in head and "transfer-encoding" not in head
    seen = one.seen[0]
    assert (seen.target, seen.get("Connection").lower(), seen.get("Upgrade").lower()) == \
        ("/ws/channels?session_id=1", "upgrade", "websocket")
    assert (seen.get("X-Forwarded-Proto"), seen.get("Host")) == ("ws", "h")
    assert seen.get("Sec-WebSocket-Protocol") == "v1.kernel.websocket.jupyter.org"
    assert socket_.receive() == b"hello"
    for size in (1, 125, 126, 70_000, 3_000_000):
        payload = os.urandom(size)
        threading.Thread(target=socket_.send, args=(payload,), daemon=True).start()
        assert socket_.receive() == payload


def test_activity_moves_with_what_the_client_sends(proxy, target):
    proxy.add("/wsact", target(peers.websocket_echo))
    socket_ = peers.WebSocket(proxy, "/wsact")
    socket_.receive()
    first = proxy.last_activity("/wsact")
    time.sleep(0.01)
    socket_.send(b"x")
    socket_.receive()
    assert proxy.last_activity("/wsact") > first


@berth_only
def test_frames_sent_with_the_head_arrive(proxy, target):
    proxy.add("/early", target(peers.websocket_echo))
    socket_ = peers.WebSocket(proxy, "/early", early=peers.frame(b"early"))
    assert [socket_.receive(), socket_.receive()] == [b"hello", b"early"]


@berth_only
def test_a_tunnel_whose_first_connection_was_stale_stays_open(start, target):
    """Its request is met by a close and sent again, as when another container has the address of an old one."""
    served = set()

    def once(seen):
        if seen.socket in served:
            return None
        served.add(seen.socket)
        return peers.websocket_echo(seen) if seen.get("Upgrade") else peers.answer(b"ok")

    one = target(once)
    proxy = start("--default-target", one.url, "--workers", "1")
    assert proxy.request().body == b"ok"
    socket_ = peers.WebSocket(proxy, "/ws")
    assert len(one.seen) == 3, "the upgrade came twice"
    assert socket_.receive() == b"hello"
    time.sleep(0.2)
    socket_.send(b"still there")
    assert socket_.receive() == b"still there"


def test_refused_upgrade_is_relayed(proxy, target):
    proxy.add("/refuse", target(lambda seen: peers.answer(b"no", "403 Forbidden", ["X-Why: because"])))
    before = proxy.last_activity("/refuse")
    time.sleep(0.01)
    got = proxy.raw(peers.upgrade("/refuse"), 1)
    assert got.startswith(b"HTTP/1.1 403") and b"x-why: because" in got.lower() and got.endswith(b"no")
    assert proxy.last_activity("/refuse") == before


def test_errors_are_bare(proxy):
    proxy.add("/wsdead", f"http://127.0.0.1:{peers.free_port()}")
    for path, status in (("/wsdead", b"503"), ("/wsnone", b"404")):
        got = proxy.raw(peers.upgrade(path))
        assert got.startswith(b"HTTP/1.1 " + status)
        assert b"Content-Length: 0" in got and got.endswith(b"\r\n\r\n")


def test_the_end_of_either_side_reaches_the_other(proxy, target):
    ended = threading.Event()

    def wait_for_end(seen):
        try:
            peers.websocket_echo(seen)
        except EOFError:
            ended.set()
            raise

    one = target(wait_for_end)
    proxy.add("/end", one)
    socket_ = peers.WebSocket(proxy, "/end")
    socket_.receive()
    socket_.sock.close()
    assert ended.wait(5)

    socket_ = peers.WebSocket(proxy, "/end")
    socket_.receive()
    one.connections[-1].shutdown(2)
    socket_.sock.settimeout(5)
    assert socket_.sock.recv(1) == b""


def test_survives_the_removal_and_the_silence_of_its_route(start, target):
    proxy = start("--proxy-timeout", "300", "--timeout", "0")
    proxy.add("/ws", target(peers.websocket_echo))
    socket_ = peers.WebSocket(proxy, "/ws")
    socket_.receive()
    proxy.api("DELETE", "/api/routes/ws")
    time.sleep(1.2)
    socket_.send(b"still here")
    assert socket_.receive() == b"still here"


@berth_only
def test_upgrade_to_something_else_is_no_upgrade(proxy, target):
    one = target()
    proxy.add("/h2c", one)
    got = proxy.raw(peers.upgrade("/h2c").replace(b"Upgrade: websocket", b"Upgrade: h2c"), 1)
    assert got.startswith(b"HTTP/1.1 200")
    assert one.seen[0].get("Upgrade") is None


@berth_only
def test_target_that_switches_unasked_is_refused(proxy, target):
    proxy.add("/switch", target(lambda seen: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nsecret"))
    got = proxy.raw(b"GET /switch HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 50") and b"secret" not in got


@berth_only
def test_open_sockets_do_not_hold_up_the_end(start, target):
    proxy = start("--default-target", target(peers.websocket_echo).url)
    socket_ = peers.WebSocket(proxy, "/")
    socket_.receive()
    assert proxy.stop(signal.SIGTERM) == 2
