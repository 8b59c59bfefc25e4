"""What the door does when somebody takes too much of it: connections of one address, descriptors of the process."""

import contextlib
import os
import re
import resource
import socket
import time
import urllib.request

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only
from tests.conformance.test_proxy_tls import flags_of, trusting
from tests.support.certificates import make_certificate

pytestmark = berth_only

GET = b"GET /door HTTP/1.1\r\nHost: h\r\n\r\n"
MOST = ("--max-connections-per-address", "3")


@pytest.fixture
def metrics():
    """metrics(proxy, name) reads one counter of a proxy that was started with metrics.flags."""
    port = peers.free_port()

    def value(name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        return float(re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M)[1])

    value.flags = ("--metrics-ip", "127.0.0.1", "--metrics-port", str(port))
    return value


def from_address(proxy, address):
    sock = socket.create_connection(("127.0.0.1", proxy.port), 5, source_address=(address, 0))
    sock.settimeout(5)
    return sock


def ask(sock):
    """The status line of the next answer; "" where the connection was closed."""
    with contextlib.suppress(OSError):
        sock.sendall(GET)
        reader = peers.Reader(sock)
        with contextlib.suppress(EOFError):
            head = reader.until(b"\r\n\r\n").decode()
            reader.exactly(int(re.search(r"(?i)content-length: (\d+)", head)[1]))
            return head.split("\r\n")[0]
    return ""


def test_an_address_has_so_many_connections_and_no_more(start, target, metrics):
    proxy = start(*MOST, *metrics.flags, "--workers", "2")  # one count for both
    proxy.add("/door", target(lambda seen: peers.answer(b"ok")))
    assert metrics("berth_connections_refused_total") == 0
    held = [from_address(proxy, "127.0.0.7") for _ in range(3)]
    assert [ask(sock) for sock in held] == ["HTTP/1.1 200 OK"] * 3
    beyond = from_address(proxy, "127.0.0.7")
    assert peers.read_rest(beyond).startswith(b"HTTP/1.1 429 "), "told without being asked, and closed"
    assert metrics("berth_connections_refused_total") == 1
    assert ask(from_address(proxy, "127.0.0.8")) == "HTTP/1.1 200 OK", "others are not meant"
    assert ask(held[0]) == "HTTP/1.1 200 OK", "nor are the connections that are there"
    held.pop().close()
    assert peers.wait_until(lambda: ask(from_address(proxy, "127.0.0.7")).endswith("200 OK"))


def test_without_the_flag_an_address_has_any_number(start, target):
    proxy = start()
    proxy.add("/door", target(lambda seen: peers.answer(b"ok")))
    held = [from_address(proxy, "127.0.0.7") for _ in range(100)]
    assert [ask(sock) for sock in held] == ["HTTP/1.1 200 OK"] * 100


def three_from(proxy, address):
    """Three connections of this address that were taken; None while fewer are."""
    held = [from_address(proxy, address) for _ in range(3)]
    return held if all(ask(sock).endswith("400 Bad Request") for sock in held) else None


def test_websockets_and_idle_clients_count_until_they_end(start, target):
    proxy = start(*MOST)
    proxy.add("/door", target(peers.websocket_echo))  # whatever is no upgrade gets 400
    for _ in range(5):  # whoever ends gives its place back, however it ends
        held = peers.wait_until(lambda: three_from(proxy, "127.0.0.7"))
        held[0].sendall(peers.upgrade("/door"))
        assert b" 101 " in peers.Reader(held[0]).until(b"\r\n\r\n")
        assert peers.read_rest(from_address(proxy, "127.0.0.7")).startswith(b"HTTP/1.1 429 ")
        held[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        for sock in held:
            sock.close()


def test_over_tls_too(start, target, metrics, tmp_path):
    pair = make_certificate(tmp_path, "limits")
    context = trusting(pair[0])
    proxy = start(*MOST, *metrics.flags, *flags_of(pair), tls=context)
    proxy.add("/door", target(lambda seen: peers.answer(b"ok")))

    def shake():
        return context.wrap_socket(from_address(proxy, "127.0.0.7"), server_hostname="hub.test")

    held = [shake(), shake(), from_address(proxy, "127.0.0.7")]  # a handshake that does not begin counts too
    assert ask(held[0]) == "HTTP/1.1 200 OK"
    with pytest.raises(OSError):
        shake()
    assert metrics("berth_connections_refused_total") == 1
    held.pop().close()
    assert peers.wait_until(lambda: connects(shake))


def connects(shake):
    with contextlib.suppress(OSError):
        return ask(shake()) == "HTTP/1.1 200 OK"
    return False


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_waits_and_does_not_spin(start, target, metrics):
    proxy = start(*metrics.flags, "--workers", "1")
    proxy.add("/door", target(lambda seen: peers.answer(b"ok")))
    assert ask(from_address(proxy, "127.0.0.7")) == "HTTP/1.1 200 OK"
    assert metrics("berth_accept_pauses_total") == 0
    pid = proxy.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 4, unlimited[1]))
    waiting = [from_address(proxy, "127.0.0.7") for _ in range(20)]
    time.sleep(0.5)
    before = processor_seconds(pid)
    time.sleep(2)
    spent = processor_seconds(pid) - before
    resource.prlimit(pid, resource.RLIMIT_NOFILE, unlimited)
    assert [ask(sock) for sock in waiting] == ["HTTP/1.1 200 OK"] * 20, "all are taken when there is room again"
    assert spent < 0.2, "it waits for room, it does not ask all the time"
    assert 10 <= metrics("berth_accept_pauses_total") <= 60
    assert proxy.read_log().count("connection.accept_postponed") == 1
