"""Another program takes the proxy's place under load (SIGUSR2): no connection, request or route is lost."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import threading
import time

import psutil
import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only

pytestmark = berth_only
TUNNELS = 40
UPGRADES = 4


@pytest.fixture
def own_binary(tmp_path, monkeypatch):
    path = tmp_path / "berth"
    shutil.copy(peers.command()[0], path)
    monkeypatch.setenv("PROXY_COMMAND", f"{path} proxy")
    yield path
    for each in psutil.process_iter(["cmdline"]):  # successors outlive the first one, which `start` ends
        if (each.info["cmdline"] or [""])[0] == str(path):
            each.kill()


def replace(path: pathlib.Path, by: str):
    draft = path.with_suffix(".new")
    shutil.copy(by, draft)
    os.replace(draft, path)


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def successors(proxy):
    """All processes that the first one was replaced by, itself included, oldest first."""
    first = psutil.Process(proxy.process.pid)
    return [first, *sorted(first.children(recursive=True), key=lambda each: each.create_time())]


def upgrade(proxy):
    serving = [each for each in successors(proxy) if name_of(each.pid) == "berth"]
    assert len(serving) == 1
    serving[0].send_signal(signal.SIGUSR2)
    assert peers.wait_until(lambda: name_of(serving[0].pid) == "berth-draining", 20), proxy.read_log()
    return serving[0], next(each for each in successors(proxy) if name_of(each.pid) == "berth")


class Asking(threading.Thread):
    """Somebody asks without pause, over a kept connection (POST, which is never sent twice) or over new ones."""

    def __init__(self, proxy, path, keeps):
        super().__init__(daemon=True)
        self.proxy, self.path, self.keeps = proxy, path, keeps
        self.count, self.failures, self.stop = 0, [], threading.Event()

    def run(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)
                connection.request("POST", self.path, str(self.count))
                answer = connection.getresponse()
                if (answer.status, answer.read()) != (200, str(self.count).encode()):
                    self.failures.append(answer.status)
                if not self.keeps or answer.getheader("Connection") == "close":
                    connection.close()
                    connection = None
            except OSError as error:
                self.failures.append(repr(error))
                connection = None
            self.count += 1


def test_upgrades_under_load_lose_nothing(start, target, own_binary, tmp_path):
    pid_file = tmp_path / "pid"
    proxy = start("--pid-file", str(pid_file), "--routes-file", str(tmp_path / "routes"))
    proxy.add("/ws", target(peers.websocket_echo))
    proxy.add("/say", target(lambda seen: peers.answer(seen.body)))
    tunnels, asking = [], [Asking(proxy, "/say", keeps) for keeps in (True, True, False)]
    for each in asking:
        each.start()
    gone = []
    for number in range(UPGRADES):
        tunnels += [peers.WebSocket(proxy, "/ws") for _ in range(TUNNELS // UPGRADES)]
        for each in tunnels[-TUNNELS // UPGRADES:]:
            assert each.receive() == b"hello"
        replace(own_binary, peers.ROOT / "build/release/berth")
        before, now = upgrade(proxy)
        gone.append(before)
        assert pid_file.read_text() == str(now.pid)
        assert os.stat(f"/proc/{now.pid}/exe").st_ino == own_binary.stat().st_ino, "the program that is there now"
        assert set(proxy.routes()) == {"/ws", "/say", *(f"/new{i}" for i in range(number))}
        proxy.add(f"/new{number}", "http://127.0.0.1:9")
        for index, each in enumerate(tunnels):
            each.send(f"{number} {index}".encode())
            assert each.receive() == f"{number} {index}".encode()
    time.sleep(3)  # longer than the old ones wait for a last request
    for each in tunnels:
        each.send(b"still there")
        assert each.receive() == b"still there"
    for each in asking:
        each.stop.set()
        each.join(20)
    assert [each.failures for each in asking] == [[], [], []]
    assert all(each.count > 20 for each in asking)
    assert all(each.is_running() for each in gone), "WebSockets keep the process that has them"
    for each in tunnels:
        each.sock.close()
    assert peers.wait_until(lambda: not any(each.is_running() and each.status() != "zombie" for each in gone), 10), \
        "they end with their last connection"
    assert proxy.routes() and now.is_running()


def rests(process, seconds=0.3):
    """It has used no CPU for that long."""
    before = process.cpu_times()
    time.sleep(seconds)
    return process.cpu_times() == before


def unheard(proxy):
    """The proxy, asleep, and the one that serves in its place, whose word it has not heard."""
    first = psutil.Process(proxy.process.pid)
    first.send_signal(signal.SIGUSR2)
    assert peers.wait_until(first.children, 5)
    first.suspend()
    successor = first.children()[0]
    assert peers.wait_until(lambda: name_of(successor.pid) == "berth", 5), "it serves, but nobody has heard it"
    return first, successor


def test_who_was_accepted_as_the_end_began_is_answered(start, target, own_binary, tmp_path):
    """The old one wakes up with a queue of connections and the word of its successor, which accepts nothing meanwhile."""
    proxy = start("--workers", "1", "--routes-file", str(tmp_path / "routes"))
    proxy.add("/say", target(lambda seen: peers.answer(seen.body)))
    before, now = unheard(proxy)
    assert peers.wait_until(lambda: rests(now), 10), "its word comes after its name"
    now.suspend()
    clients = [socket.create_connection(("127.0.0.1", proxy.port), 20) for _ in range(200)]
    for each in clients:
        each.sendall(b"POST /say HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
    before.resume()
    assert peers.wait_until(lambda: name_of(before.pid) == "berth-draining", 20)
    now.resume()
    for each in clients:
        reader = peers.Reader(each)
        assert reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ") and reader.exactly(2) == b"hi"
        each.close()


def test_an_answer_that_promised_more_keeps_its_word(start, target, own_binary):
    """Its head said that the connection stays; the hand-over came before its end."""
    middle = threading.Event()

    def slowly(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        assert middle.wait(20)
        seen.socket.sendall(b"cd")

    proxy = start()
    proxy.add("/slow", target(slowly))
    proxy.add("/say", target(lambda seen: peers.answer(seen.body)))
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("GET", "/slow")
    answer = connection.getresponse()
    assert answer.getheader("Connection") != "close" and answer.read(2) == b"ab"
    before, _ = upgrade(proxy)
    time.sleep(2.5)  # longer than those that wait for a request are waited for
    middle.set()
    assert answer.read() == b"cd"
    time.sleep(0.2)
    connection.request("POST", "/say", "again")
    answer = connection.getresponse()
    assert (answer.getheader("Connection"), answer.read()) == ("close", b"again")
    assert peers.wait_until(lambda: before.status() == "zombie", 10)


@pytest.mark.parametrize("by", ["/bin/false", "/bin/sleep"])
def test_what_does_not_start_takes_no_ones_place(start, target, own_binary, tmp_path, by):
    proxy = start("--routes-file", str(tmp_path / "routes"))
    proxy.add("/say", target(lambda seen: peers.answer(seen.body)))
    replace(own_binary, by)
    proxy.process.send_signal(signal.SIGUSR2)
    assert peers.wait_until(lambda: "proxy.not_replaced" in proxy.read_log(), 20)
    assert proxy.request("POST", "/say", b"still here").body == b"still here"
    proxy.add("/more", "http://127.0.0.1:9")
    assert set(proxy.routes()) == {"/say", "/more"}
    assert psutil.Process(proxy.process.pid).children() == []


def replace_by_script(path: pathlib.Path, lines: str):
    script = path.with_suffix(".script")
    script.write_text(f"#!/bin/sh\n{lines}\n")
    script.chmod(0o755)
    replace(path, script)


def left_of(path):
    """Those that the program was replaced by, while they run."""
    return [each.pid for each in psutil.process_iter(["cmdline"])
            if str(path) in (each.info["cmdline"] or [])[:2] and each.status() != psutil.STATUS_ZOMBIE]


def test_a_stop_ends_a_successor_that_does_not_serve_yet(start, own_binary, tmp_path):
    proxy = start("--routes-file", str(tmp_path / "routes"))
    replace_by_script(own_binary, "exec sleep 600")
    proxy.process.send_signal(signal.SIGUSR2)
    assert peers.wait_until(lambda: psutil.Process(proxy.process.pid).children(), 5)
    successor = psutil.Process(proxy.process.pid).children()[0]
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(5) == 2
    assert not successor.is_running(), "it was ended and waited for"
    assert " error " not in proxy.read_log()


def test_a_stop_beside_the_word_of_the_successor_ends_both(start, own_binary, tmp_path):
    proxy = start("--routes-file", str(tmp_path / "routes"))
    binary = shutil.copy(own_binary, tmp_path / "newer")
    replace_by_script(own_binary, f"sleep 0.5; exec {binary} \"$@\"")
    first, successor = unheard(proxy)
    first.terminate()
    first.resume()
    assert proxy.process.wait(10) == 2
    log = proxy.read_log()
    assert "proxy.replaced" not in log and " error " not in log, log
    assert not successor.is_running(), log


@pytest.mark.parametrize("after_ms", [0, 2, 4, 8, 16, 32])
def test_a_stop_at_any_moment_of_a_handover_leaves_one_or_none(start, own_binary, tmp_path, after_ms):
    proxy = start("--routes-file", str(tmp_path / "routes"))
    proxy.process.send_signal(signal.SIGUSR2)
    time.sleep(after_ms / 1000)
    proxy.process.terminate()
    status = proxy.process.wait(10)
    left, log = left_of(own_binary), proxy.read_log()
    if "proxy.replaced" in log:  # only then it is not the one that serves, and may be ended on its own
        assert len(left) == 1 and status in (2, -signal.SIGTERM), log
    else:
        assert left == [] and status == 2 and " error " not in log, log


def test_a_stop_as_the_successor_takes_over_is_a_plain_end(start, own_binary, tmp_path):
    for _ in range(16):  # the moment is short
        proxy = start("--routes-file", str(tmp_path / "routes"))
        proxy.process.send_signal(signal.SIGUSR2)
        end = time.monotonic() + 10
        while "proxy.replaced" not in proxy.read_log() and time.monotonic() < end:
            pass
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(10) in (2, -signal.SIGTERM), proxy.read_log()
        for each in left_of(own_binary):
            os.kill(each, signal.SIGKILL)


def test_unix_sockets_are_handed_over(start, target, own_binary, short_folder):
    folder = short_folder / "with blank"
    folder.mkdir()
    proxy = start("--routes-file", str(short_folder / "routes"), sockets=folder)
    proxy.add("/say", target(lambda seen: peers.answer(seen.body)))
    before, _ = upgrade(proxy)
    assert peers.wait_until(lambda: before.status() == "zombie", 10)
    assert proxy.request("POST", "/say", b"x").body == b"x"
    assert set(proxy.routes()) == {"/say"}


def test_the_end_says_going_away_between_two_frames(start, target):
    proxy = start()
    proxy.add("/ws", target(peers.websocket_echo))
    websocket = peers.WebSocket(proxy, "/ws")
    assert websocket.receive() == b"hello"
    proxy.process.send_signal(signal.SIGTERM)
    assert websocket.reader.exactly(4) == b"\x88\x02\x03\xe9"
    websocket.sock.close()
    assert proxy.process.wait(10) == 2


def test_the_end_puts_nothing_into_a_frame_that_is_under_way(start, target):
    def half_a_frame(seen):
        seen.socket.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Accept: {peers.ACCEPT}\r\n\r\n".encode() + b"\x82\x7eabcde")
        time.sleep(20)

    proxy = start()
    proxy.add("/ws", target(half_a_frame))
    websocket = peers.WebSocket(proxy, "/ws")
    assert websocket.reader.exactly(7) == b"\x82\x7eabcde"
    proxy.process.send_signal(signal.SIGTERM)
    assert peers.read_rest(websocket.sock) == b""


def test_open_connections_end_at_the_deadline(start, target, own_binary):
    proxy = start("--handover-timeout", "3000")
    proxy.add("/ws", target(peers.websocket_echo))
    websocket = peers.WebSocket(proxy, "/ws")
    assert websocket.receive() == b"hello"
    before, _ = upgrade(proxy)
    websocket.sock.settimeout(10)
    assert websocket.reader.exactly(4) == b"\x88\x02\x03\xe9"
    websocket.sock.close()
    assert peers.wait_until(lambda: before.status() == "zombie", 10)
