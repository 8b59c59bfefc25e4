"""A hub that is killed again and again, proxies that take over from each other, and people who must not notice: one way to
do it for the test and for the bench."""

import contextlib
import http.client
import os
import random
import shutil
import socket
import threading
import time

import psutil

from .person import wait_until
from .venvs import ROOT

CONFIG = {"spawner": "local", "local": {"command": str(ROOT / "tests" / "stand-ins" / "talking-server")}}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE = 20.0  # seconds for an answer; beyond it a person calls it lost


def port_of(hub) -> int:
    return int(hub.url.rsplit(":", 1)[1])


def start_servers(hub, count: int) -> list[str]:
    names = [f"u{number:02d}" for number in range(count)]
    assert hub.api("POST", "/users", json={"usernames": names}).status_code == 201
    for name in names:
        assert hub.api("POST", f"/users/{name}/server").status_code in (201, 202)
    for name in names:
        wait_until(f"{name}'s server is ready", lambda n=name: (hub.server(n) or {}).get("ready"), 60)
    return names


class WebSockets:
    """Open ones, each asked in turn for what was just sent; `lost` says what became of those that failed."""

    def __init__(self, hub, names, count):
        self.port, self.names, self.lost, self.echoes, self.opened = port_of(hub), names, [], 0, 0
        self.open = [self.connect() for _ in range(count)]

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.opened += 1
        sock.sendall((f"GET /user/{self.names[self.opened % len(self.names)]}/api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                      f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      f"Sec-WebSocket-Key: {KEY}\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(4096)
            assert piece, f"no WebSocket: {head!r}"
            head += piece
        assert head.startswith(b"HTTP/1.1 101 "), head
        return sock

    def check(self, when: str) -> None:
        """One message over each, all of them under way at once."""
        sent = []
        for number, sock in enumerate(self.open):
            frame = b"\x82\x94\0\0\0\0" + f"{self.echoes:012d}{number:08d}".encode()
            try:
                sock.sendall(frame)
                sent.append((sock, frame))
            except OSError as failure:
                self.lose(sock, f"{when}: {failure!r} while sending")
        for sock, frame in sent:
            got = b""
            try:
                while len(got) < len(frame):
                    piece = sock.recv(len(frame) - len(got))
                    if not piece:
                        raise EOFError("closed")
                    got += piece
                if got != frame:
                    raise ValueError(f"got {got!r} for {frame!r}")
                self.echoes += 1
            except (OSError, EOFError, ValueError) as failure:
                self.lose(sock, f"{when}: {failure!r}")

    def lose(self, sock, why: str) -> None:
        self.lost.append(why)
        sock.close()
        self.open.remove(sock)

    def renew(self, count: int) -> None:
        """Some end and others begin, so that each proxy has its own."""
        for sock in random.sample(self.open, min(count, len(self.open))):
            self.open.remove(sock)
            sock.close()
        self.open += [self.connect() for _ in range(count)]

    def close(self) -> None:
        for sock in self.open:
            sock.close()


class Asking(threading.Thread):
    """Somebody uses their notebook without pause: POST, which is never sent twice, over a kept connection or new ones."""

    def __init__(self, hub, name: str, keeps: bool):
        super().__init__(daemon=True)
        self.port, self.user, self.keeps = port_of(hub), name, keeps
        self.count, self.failures, self.stop = 0, [], threading.Event()

    def run(self):
        connection = None
        while not self.stop.is_set():
            self.count += 1
            body = f"{self.user} {self.count}".encode()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                connection.request("POST", f"/user/{self.user}/api/say", body)
                answer = connection.getresponse()
                got = answer.read()
                if (answer.status, got) != (200, body):
                    self.failures.append(f"{answer.status} {got[:80]!r}")
                if not self.keeps or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(f"{failure!r} at {time.strftime('%H:%M:%S')}")
                connection = None
            time.sleep(0.002)


def proxies_of(hub, name: str) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter(["name", "cmdline"]):
        if each.info["name"] == name and str(hub.folder / "state" / "proxy.sock") in (each.info["cmdline"] or []):
            found.append(each)
    return found


def other_file(binary) -> None:
    """The same program in another file, as an upgrade brings it."""
    draft = binary.with_suffix(".new")
    shutil.copy(binary, draft)
    os.replace(draft, binary)


def is_upgraded(hub, binary) -> bool:
    serving = proxies_of(hub, "berth")
    with contextlib.suppress(OSError):
        return [os.stat(f"/proc/{each.pid}/exe").st_ino for each in serving] == [binary.stat().st_ino]
    return False


def survive(hub, binary, kills: int, upgrades: int, sockets: int, users: int, say=lambda text: None) -> dict:
    """`hub` runs from `binary`, a file of its own. Every kill is a kill -9 under load, followed by a start."""
    names = start_servers(hub, users)
    websockets = WebSockets(hub, names, sockets)
    asking = [Asking(hub, name, keeps=number % 3 != 0) for number, name in enumerate(names)]
    for each in asking:
        each.start()
    done, began = 0, time.monotonic()
    for kill in range(1, kills + 1):
        hub.kill9()
        websockets.check(f"kill {kill}, no hub")
        if done < kill * upgrades // kills:
            other_file(binary)
            done += 1
        hub.start()
        wait_until("one proxy serves, of the program that is there", lambda: is_upgraded(hub, binary), 30, 0.02)
        websockets.check(f"kill {kill}, upgrade {done}")
        websockets.renew(max(1, sockets // 50))
        if kill % 10 == 0:
            say(f"{kill} kills, {done} upgrades: {len(websockets.lost)} WebSockets lost, "
                f"{sum(len(each.failures) for each in asking)} of {sum(each.count for each in asking)} requests failed")
    draining = len(proxies_of(hub, "berth-draining"))
    for each in asking:
        each.stop.set()
    for each in asking:
        each.join(PATIENCE + 5)
    alive = sum(bool((hub.server(name) or {}).get("ready")) for name in names)
    websockets.close()
    wait_until("the old proxies end with their connections", lambda: not proxies_of(hub, "berth-draining"), 30)
    return {"kills": kills, "upgrades": done, "seconds": round(time.monotonic() - began, 1), "websockets": sockets,
            "opened": websockets.opened, "echoes": websockets.echoes, "lost": websockets.lost,
            "requests": sum(each.count for each in asking), "failed": [f for each in asking for f in each.failures],
            "servers": len(names), "servers_alive": alive, "draining": draining}
