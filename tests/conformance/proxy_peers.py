"""The two ends of a proxy under test, on plain sockets so that every byte is the test's own."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from tests.support.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "conformance-token"


def command():
    return shlex.split(os.environ.get("PROXY_COMMAND", "")) or [str(ROOT / "build/release/berth"), "proxy"]


def is_berth():
    return "configurable-http-proxy" not in " ".join(command())


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    return condition()


class Seen:
    """A request as a target received it."""

    def __init__(self, head, body, socket_):
        self.head, self.body, self.socket = head, body, socket_
        line, *fields = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = line.split(" ", 2)
        self.fields = [tuple(field.split(": ", 1)) if ": " in field else (field.rstrip(":"), "") for field in fields]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [None])[0]


class Reader:
    """Reads heads and bodies from a socket; EOF raises EOFError."""

    def __init__(self, sock):
        self.sock, self.rest = sock, bytearray()

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.rest += data

    def until(self, mark):
        while (at := self.rest.find(mark)) < 0:
            self.more()
        taken = bytes(self.rest[:at])
        del self.rest[:at + len(mark)]
        return taken

    def exactly(self, count):
        while len(self.rest) < count:
            self.more()
        taken = bytes(self.rest[:count])
        del self.rest[:count]
        return taken

    def chunked(self):
        body = b""
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        while self.until(b"\r\n"):
            pass
        return body


def answer(body=b"", status="200 OK", fields=(), length=True):
    lines = [f"HTTP/1.1 {status}", *fields] + ([f"Content-Length: {len(body)}"] if length else [])
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def echo(seen):
    """What the target saw, as JSON."""
    body = json.dumps({"method": seen.method, "target": seen.target, "fields": seen.fields,
                       "body": hashlib.sha256(seen.body).hexdigest(), "size": len(seen.body)}).encode()
    return answer(body, fields=["Content-Type: application/json"])


class Target:
    """A server behind the proxy. `reply(seen)` returns the bytes of an answer, or None to close; it may use
    seen.socket itself. `read_body=False`: reply gets the head only. `tls`: an ssl.SSLContext, then it is https."""

    def __init__(self, reply=echo, path=None, read_body=True, tls=None):
        self.reply, self.seen, self.read_body, self.tls = reply, [], read_body, tls
        self.connections = []
        self.open = 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen(256)
        self.port = None if path else self.listener.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"http+unix://{str(path).replace('/', '%2F')}" if path else f"{scheme}://127.0.0.1:{self.port}"
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
        reader = Reader(sock)
        self.open += 1
        try:
            while True:
                head = reader.until(b"\r\n\r\n")
                seen = Seen(head, b"", sock)
                seen.reader = reader
                if self.read_body:
                    if seen.get("Transfer-Encoding"):
                        seen.body = reader.chunked()
                    else:
                        seen.body = reader.exactly(int(seen.get("Content-Length") or 0))
                self.seen.append(seen)
                data = self.reply(seen)
                if data is None:
                    return
                sock.sendall(data)
        except (EOFError, OSError):
            pass
        finally:
            self.open -= 1
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self):
        # Ends the thread before the number is free: another listener may get it, and the thread its clients.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join(5)
        self.listener.close()
        for sock in self.connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Proxy:
    def __init__(self, *flags, sockets=None, token=TOKEN, port=None, tls=None, api_tls=None):
        """`tls`, `api_tls`: the ssl.SSLContext that the public side and the API are spoken to with."""
        self.sockets, self.tls, self.api_tls = sockets, tls, api_tls
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-p-"))
        self.port, self.api_port = port or free_port(), free_port()
        where = ["--socket", str(sockets / "p"), "--api-socket", str(sockets / "a")] if sockets else \
            ["--ip", "127.0.0.1", "--port", str(self.port), "--api-ip", "127.0.0.1", "--api-port", str(self.api_port)]
        self.arguments = command() + where + list(flags)
        self.environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": token}
        self.start()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.arguments, env=self.environment, stdout=self.log, stderr=self.log)
        assert wait_until(self.answers, 15), self.read_log()

    def answers(self):
        assert self.process.poll() is None, self.read_log()
        try:
            self.connect().close()
            self.api("GET", "/api/routes")
            return True
        except OSError:
            return False

    def read_log(self):
        return (self.folder / "log").read_text()

    def stop(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(15)
        self.log.close()
        return code

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # The API.
    def api(self, method, path, body=None, token=TOKEN, raw=None):
        connection = UnixConnection(self.sockets / "a") if self.sockets else \
            http.client.HTTPSConnection("127.0.0.1", self.api_port, timeout=10, context=self.api_tls) if self.api_tls else \
            http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=10)
        headers = {"Authorization": f"token {token}"} if token else {}
        data = raw if raw is not None else json.dumps(body) if body is not None else None
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        response.body = response.read()
        connection.close()
        return response

    def add(self, path, target, **data):
        response = self.api("POST", "/api/routes" + path, {"target": getattr(target, "url", target), **data})
        assert response.status == 201
        assert response.body == b""

    def routes(self):
        return json.loads(self.api("GET", "/api/routes").body)

    def last_activity(self, path):
        return self.routes()[path]["last_activity"]

    # The public side.
    def connect(self):
        if self.sockets:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(self.sockets / "p"))
            return sock
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(sock, server_hostname="hub.test") if self.tls else sock

    def request(self, method="GET", path="/", body=None, headers=None):
        connection = UnixConnection(self.sockets / "p") if self.sockets else \
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if self.tls:
            connection.sock = self.connect()
        connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        response = connection.getresponse()
        response.body = response.read()
        response.connection = connection
        return response

    def raw(self, data, seconds=3.0):
        """Everything that comes back for these bytes until the proxy closes or is silent for `seconds`."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_rest(sock, seconds)


def read_rest(sock, seconds=3.0):
    sock.settimeout(seconds)
    got = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            got += data
    return got


# WebSockets (RFC 6455), as much as an echo needs.
KEY = base64.b64encode(b"0123456789abcdef").decode()
ACCEPT = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def upgrade(path, host="h", extra=""):
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{extra}\r\n").encode()


def frame(payload, masked=True):
    length = len(payload)
    head = b"\x82" + bytes([(0x80 if masked else 0) | (length if length < 126 else 126 if length < 65536 else 127)])
    if length >= 126:
        head += struct.pack("!H" if length < 65536 else "!Q", length)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def read_frame(reader, masked):
    length = reader.exactly(2)[1] & 0x7F
    if length >= 126:
        length = struct.unpack("!H" if length == 126 else "!Q", reader.exactly(2 if length == 126 else 8))[0]
    if masked:
        reader.exactly(4)
    return reader.exactly(length)


def websocket_echo(seen):
    if (seen.get("Upgrade") or "").lower() != "websocket":
        return answer(b"no websocket", "400 Bad Request")
    seen.socket.sendall((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n"
                         "Set-Cookie: a=1\r\n\r\n").encode() + frame(b"hello", masked=False))
    while True:
        seen.socket.sendall(frame(read_frame(seen.reader, True), masked=False))


class WebSocket:
    def __init__(self, proxy, path, extra="", early=b""):
        self.sock = proxy.connect()
        self.sock.sendall(upgrade(path, extra=extra) + early)
        self.reader = Reader(self.sock)
        self.head = self.reader.until(b"\r\n\r\n").decode()

    def send(self, payload):
        self.sock.sendall(frame(payload))

    def receive(self):
        return read_frame(self.reader, False)
