"""The cases of src/http/testdata/framing (its README.md says how they are written), and h11 as the second parser."""

import re
from typing import NamedTuple

import h11

from tests.conformance import proxy_peers as peers

FOLDER = peers.ROOT / "src/http/testdata/framing"
LETTERS = {"r": b"\r", "n": b"\n", "t": b"\t", "v": b"\v", "0": b"\0", "\\": b"\\"}


class Case(NamedTuple):
    kind: str
    file: str
    name: str
    want: str
    data: bytes

    @property
    def is_refused(self):
        return self.want.startswith("refused")

    @property
    def words(self):
        return self.want.split(", ")


def unescaped(text):
    """\\r \\n \\t \\v \\0 \\\\ and \\xHH."""
    parts = re.split(r"\\(x..|.)", text)  # text and escapes in turn
    return b"".join(part.encode() if place % 2 == 0 else LETTERS.get(part) or bytes.fromhex(part[1:])
                    for place, part in enumerate(parts))


def cases(*kinds):
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        kind = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                kind = line[1:-1]
            elif line and kind in kinds:
                name, want, text = line.split(" | ", 2)
                found.append(Case(kind, path.stem, name, want, unescaped(text)))
    return found


class Message(NamedTuple):
    start: tuple  # (method, target) or status
    body: bytes


def next_message(connection):
    """The next whole answer as h11 reads it; the exception where it refuses, None where there is none."""
    status, body = None, b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            return error
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Message(status, body)
        elif not isinstance(event, h11.InformationalResponse):
            return None


class StrictTarget(peers.Target):
    """A server that reads with h11 and nothing else. `seen` holds its requests, whole ones only."""

    def __init__(self):
        self.errors = []
        super().__init__()

    def serve(self, sock):
        connection, start, body = h11.Connection(h11.SERVER), None, b""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(sock.recv(65536))
                elif isinstance(event, h11.Request):
                    start, body = (event.method.decode(), event.target.decode("latin-1")), b""
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.seen.append(Message(start, body))
                    answer = connection.send(h11.Response(status_code=200, headers=[("Content-Length", "2")]))
                    if start[0] != "HEAD":
                        answer += connection.send(h11.Data(data=b"ok"))
                    sock.sendall(answer + connection.send(h11.EndOfMessage()))
                    connection.start_next_cycle()
                else:
                    return
        except h11.RemoteProtocolError as error:
            self.errors.append(error)
        except (OSError, h11.LocalProtocolError):
            pass
        finally:
            sock.close()
