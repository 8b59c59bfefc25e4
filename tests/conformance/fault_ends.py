"""The two ends of the fault gate, and the judge of what came through: every body is known by its name, so every hash can
be said in advance; where the gate changed bytes, h11 says what the proxy was given.

An exchange is named by its target, /x/NUMBER/REQUEST-BYTES/ANSWER-BYTES/HOW-THE-ANSWER-IS-FRAMED.
"""

import asyncio
import contextlib
import hashlib
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import h11

NAME = re.compile(r"/x/(\d+)/(\d+)/(\d+)/(length|chunked|close)")
ENDED = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError)
BLOCK = 4096
LIMIT = 1 << 17
OWN_REFUSALS = (400, 408, 431, 500, 503, 505)  # of the proxy, which have bodies of their own


def body_of(name: str, size: int) -> bytes:
    """`size` bytes that only this name has."""
    block = hashlib.shake_128(name.encode()).digest(min(size, BLOCK))
    return (block * (size // BLOCK + 1))[:size]


def answer_to(target: str) -> tuple[int, str]:
    name = NAME.fullmatch(target)
    return (200, digest(body_of("answer " + target, int(name[3])))) if name else (404, digest(b""))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def size_drawn(rng: random.Random) -> int:
    return rng.choice((0, 1, rng.randrange(2, 300), rng.randrange(300, 5000), rng.randrange(5000, 120_000)))


def chunked(rng: random.Random, data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        size = rng.randrange(1, 40_000)
        piece = data[at:at + size]
        out += b"%x\r\n" % len(piece) + piece + b"\r\n"
        at += size
    return bytes(out + b"0\r\n\r\n")


async def read_body(reader, fields: dict, answers: bool) -> bytes:
    """ValueError for what is no message."""
    if fields.get("transfer-encoding") == "chunked":
        body = bytearray()
        while size := int((await reader.readuntil(b"\r\n"))[:-2].split(b";")[0], 16):
            body += await reader.readexactly(size)
            if await reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk does not end")
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError("trailers, which nobody sent")
        return bytes(body)
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    return await reader.read(-1) if answers else b""


async def read_head(reader) -> tuple[str, dict]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rows = head[:-4].split("\r\n")
    return line, {row.split(":", 1)[0].lower(): row.split(":", 1)[1].strip() for row in rows}


@dataclass(repr=False)
class Got:
    """A whole request as the server had it."""
    method: str
    target: str
    body: str  # its hash
    passage: object  # of the gate


@dataclass(repr=False)
class Server:
    """Answers each request with the body of its name; remembers whole requests."""
    seen: dict = field(default_factory=lambda: defaultdict(list))  # target -> [Got]
    by_passage: dict = field(default_factory=lambda: defaultdict(list))
    port: int = 0
    writers: set = field(default_factory=set)
    passages: dict = field(default_factory=dict)  # of the gate before it, by our peer's port

    async def start(self) -> "Server":
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=LIMIT, backlog=4096)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        self.listener.close()
        for writer in list(self.writers):
            writer.close()

    async def serve(self, reader, writer) -> None:
        self.writers.add(writer)
        port, passage = writer.get_extra_info("peername")[1], None
        with contextlib.suppress(*ENDED):
            head = await read_head(reader)
            passage = self.passages.get(port)  # the gate has it by now, or no byte would have come
            while await self.exchange(reader, writer, head, passage):
                head = await read_head(reader)
        self.writers.discard(writer)
        with contextlib.suppress(*ENDED):
            writer.close()

    async def exchange(self, reader, writer, head, passage) -> bool:
        line, fields = head
        method, target, _ = line.split(" ")
        got = Got(method, target, digest(await read_body(reader, fields, False)), passage)
        self.seen[target].append(got)
        self.by_passage[passage].append(got)
        name = NAME.fullmatch(target)
        how, body = (name[4], body_of("answer " + target, int(name[3]))) if name else ("length", b"")
        status = b"HTTP/1.1 200 OK\r\n" if name else b"HTTP/1.1 404 Not Found\r\n"
        if how == "chunked":
            writer.write(status + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(random.Random(target), body))
        elif how == "length":
            writer.write(status + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            writer.write(status + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        return how != "close"


@dataclass(repr=False)
class Client:
    """Asks one thing after the other over kept connections; `outcomes` counts how each ended, `answers` holds whole ones."""
    port: int
    rng: random.Random
    patience: float
    outcomes: Counter = field(default_factory=Counter)
    answers: list = field(default_factory=list)  # (target, status, hash, passage of the gate)
    late: list = field(default_factory=list)  # that the proxy kept waiting
    passages: dict = field(default_factory=dict)  # of the gate behind us, by our port
    connection: tuple | None = None
    local: int = 0

    async def ask(self, number: int) -> None:
        asking = asyncio.ensure_future(self.exchange(number))
        done, _ = await asyncio.wait([asking], timeout=self.patience)
        passage = self.passages.get(self.local)
        if not done:
            asking.cancel()
            self.give_up(number, passage)
            return
        try:
            await asking
        except (*ENDED, EOFError):
            self.outcomes["broken"] += 1
            self.drop()

    def give_up(self, number: int, passage) -> None:
        # Where the gate swallows what we send, or what is for us, nobody else is to blame; nor for a head whose end it
        # changed, which has its minute (test_proxy_bodies.py).
        swallowed = passage and passage.happened and (passage.fault.kind == "hang" or awaits_head(passage.given))
        self.outcomes["swallowed" if swallowed else "late"] += 1
        if not swallowed:
            self.late.append(f"exchange {number} {passage and passage.fault}")
        self.drop()

    def drop(self) -> None:
        if self.connection:
            self.connection[1].transport.abort()
        self.connection = None

    async def exchange(self, number: int) -> None:
        rng = self.rng
        method = rng.choice(("GET", "GET", "POST", "POST", "PUT"))
        size = 0 if method == "GET" else size_drawn(rng)
        target = f"/x/{number}/{size}/{size_drawn(rng)}/{rng.choice(('length', 'length', 'chunked', 'chunked', 'close'))}"
        body = body_of("request " + target, size)
        if method != "GET" and rng.random() < 0.5:
            framing, body = "Transfer-Encoding: chunked", chunked(rng, body)
        else:
            framing = f"Content-Length: {size}"
        if self.connection is None:
            self.connection = await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
            self.local = self.connection[1].get_extra_info("sockname")[1]
        reader, writer = self.connection
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: gate.test\r\n{framing}\r\n\r\n".encode() + body)
        line, fields = await read_head(reader)
        status = int(line.split(" ")[1])
        answer = await read_body(reader, fields, True)
        self.answers.append((target, status, digest(answer), self.passages.get(self.local)))
        self.outcomes[f"status {status}"] += 1
        closing = fields.get("connection") == "close" or not {"content-length", "transfer-encoding"} & set(fields)
        if closing or rng.random() < 0.2:
            writer.close()
            self.connection = None


def answers_given(given: bytes, methods: list[str], whole: bool) -> list[tuple[int, str]]:
    """(status, hash of the body) of each whole answer in what a proxy was given for these requests, as h11 reads it.
    `whole`: the bytes ended with an orderly end."""
    connection, found = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20), []
    connection.receive_data(bytes(given))
    if whole:
        connection.receive_data(b"")
    with contextlib.suppress(h11.RemoteProtocolError, h11.LocalProtocolError):
        for method in methods:
            connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
            connection.send(h11.EndOfMessage())
            status, body = 0, b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return found
                status = event.status_code if isinstance(event, h11.Response) else status
                body += bytes(event.data) if isinstance(event, h11.Data) else b""
            found.append((status, digest(body)))
            connection.start_next_cycle()
    return found


def awaits_head(given: bytes | None) -> bool:
    """Whether what a proxy was given ends within the head of a request."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    requests_given(given or b"", connection)
    return bool(given) and connection.their_state is h11.IDLE


def requests_given(given: bytes, connection=None) -> list[tuple[str, str, str]]:
    """(method, target, hash of the body) of each whole request in what a proxy was given."""
    connection, found = connection or h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), []
    connection.receive_data(bytes(given))
    with contextlib.suppress(h11.RemoteProtocolError, h11.LocalProtocolError):
        while True:
            start, body = None, b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return found
                start = (event.method.decode(), event.target.decode("latin-1")) if isinstance(event, h11.Request) else start
                body += bytes(event.data) if isinstance(event, h11.Data) else b""
            found.append((*start, digest(body)))
            connection.send(h11.Response(status_code=204, headers=[]))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()
    return found


def wrong_answers(clients, server: Server) -> list[str]:
    """Whole answers whose body is neither the one of their name nor what the proxy was given for it."""
    wrong, requests_of = [], {}
    for target, status, body, passage in (one for client in clients for one in client.answers):
        if status == 200 and (status, body) == answer_to(target):
            continue
        # Where the gate changed what the client asked, the answer is to what the proxy was given.
        if passage is not None and passage.given is not None and passage not in requests_of:
            requests_of[passage] = requests_given(passage.given)
        asked = {target, *(each[1] for each in requests_of.get(passage, []))}
        if (status, body) in {answer_to(each) for each in asked}:
            continue
        hurt = [got.passage for each in asked for got in server.seen.get(each, [])
                if got.passage and got.passage.given is not None]
        given = [one for each in hurt for one in answers_given(
            each.given, [got.method for got in server.by_passage[each]] + ["GET"], not each.ended_by_reset)]
        if (status, body) not in given and status not in OWN_REFUSALS:
            faults = [each.fault for each in [passage, *hurt] if each and each.fault]
            wrong.append(f"{target}: {status} with a body that nobody sent {faults}")
    return wrong


def wrong_requests(server: Server, gate) -> list[str]:
    """Whole requests at the server that neither a client sent nor the gate made of one."""
    made: set = set()
    for passage in gate.hurt_ones:
        made.update(requests_given(passage.given))
    wrong = []
    for got in (one for all_of_target in server.seen.values() for one in all_of_target):
        name = NAME.fullmatch(got.target)
        as_sent = name and got.body == digest(body_of("request " + got.target, int(name[2])))
        if not as_sent and (got.method, got.target, got.body) not in made:
            wrong.append(f"{got.method} {got.target}: a request that nobody sent")
    return wrong
