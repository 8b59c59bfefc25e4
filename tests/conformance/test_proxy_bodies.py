"""Bodies, framing and hostile input: nothing is forwarded whose length two parsers could read differently
(RFC 9112 §6, §11.2; design §4.5)."""

import hashlib
import http.client
import os
import socket
import time

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only

BIG = os.urandom(1 << 20) * 24


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 65536, 1 << 20, len(BIG)])
def test_uploads_and_downloads_are_whole(proxy, target, size):
    proxy.add("/mirror", target(lambda seen: peers.answer(seen.body)))
    response = proxy.request("PUT", "/mirror", BIG[:size])
    assert response.status == 200
    assert sha(response.body) == sha(BIG[:size])


def test_chunked_both_ways(proxy, target):
    def chunks(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(seen.body), 10_007):
            piece = seen.body[at:at + 10_007]
            seen.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        return b"0\r\n\r\n"

    one = target(chunks)
    proxy.add("/chunks", one)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    body = BIG[:3_000_001]
    connection.request("POST", "/chunks", iter([body[:5], body[5:1_000_000], body[1_000_000:]]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert sha(connection.getresponse().read()) == sha(body)
    connection.request("GET", "/chunks")
    assert connection.getresponse().status == 200
    assert one.seen[0].get("Content-Length") is None


@berth_only
def test_chunk_extensions_and_trailers_stay_here(proxy, target):
    raw = []

    def keep(seen):
        raw.append(seen.reader.until(b"0\r\n"))
        seen.reader.exactly(2)
        return peers.answer(b"ok")

    proxy.add("/ext", target(keep, read_body=False))
    got = proxy.raw(b"POST /ext HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    b"3;evil=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n")
    assert got.endswith(b"ok")
    assert raw == [b"3\r\nabc\r\n"]


def test_bodies_fed_a_byte_at_a_time(proxy, target):
    proxy.add("/slow", target(lambda seen: peers.answer(seen.body)))
    with proxy.connect() as sock:
        for byte in b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello":
            sock.sendall(bytes([byte]))
        assert peers.read_rest(sock).endswith(b"\r\n\r\nhello")
    with proxy.connect() as sock:
        for byte in (b"POST /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                     b"5\r\nhello\r\n0\r\n\r\n"):
            sock.sendall(bytes([byte]))
        assert peers.read_rest(sock).endswith(b"\r\n\r\nhello")


def test_answers_are_not_held_back(proxy, target):
    def drip(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        time.sleep(2)
        seen.socket.sendall(b"data: 2\n\n")

    proxy.add("/events", target(drip))
    with proxy.connect() as sock:
        began = time.monotonic()
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
        got = b""
        while b"data: 1" not in got:
            got += sock.recv(4096)
        assert time.monotonic() - began < 1
        while b"data: 2" not in got:
            got += sock.recv(4096)


def test_a_slow_reader_holds_the_target_back(proxy, target):
    sent = [0]

    def pour(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        seen.socket.settimeout(1.5)
        try:
            while True:
                sent[0] += seen.socket.send(BIG)
        except TimeoutError:
            return None

    proxy.add("/pour", target(pour))
    with proxy.connect() as sock:
        sock.sendall(b"GET /pour HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(1)
        first = sent[0]
        time.sleep(0.3)
        assert sent[0] == first, "the proxy swallows what its client does not take"
        assert first < 64 << 20


def test_a_slow_target_holds_the_client_back(proxy, target):
    proxy.add("/stuck", target(lambda seen: time.sleep(6), read_body=False))
    with proxy.connect() as sock:
        sock.sendall(b"POST /stuck HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
        sock.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 128 << 20:
                sent += sock.send(BIG)


def test_expect_continue(proxy, target):
    def polite(seen):
        seen.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return peers.answer(seen.reader.exactly(int(seen.get("Content-Length"))))

    proxy.add("/expect", target(polite, read_body=False))
    with proxy.connect() as sock:
        sock.sendall(b"PUT /expect HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
                     b"Connection: close\r\n\r\n")
        reader = peers.Reader(sock)
        assert reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        sock.sendall(b"body")
        assert reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        assert reader.exactly(4) == b"body"


def test_early_refusal_of_an_upload_arrives(proxy, target):
    proxy.add("/refused", target(lambda seen: peers.answer(b"too large", "413 Too Large", ["Connection: close"]),
                                 read_body=False))
    with proxy.connect() as sock:
        sock.sendall(b"POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 100_000)
        assert peers.read_rest(sock).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("method, status, body", [("HEAD", "200 OK", b""), ("GET", "304 Not Modified", b""),
                                                  ("GET", "204 No Content", b"")])
def test_answers_without_content(proxy, target, method, status, body):
    fields = [] if status.startswith("204") else ["Content-Length: 12"]
    proxy.add("/empty", target(lambda seen: peers.answer(body, status, fields, length=False)))
    with proxy.connect() as sock:
        for _ in range(2):  # a body that was waited for would stall the second
            sock.sendall(f"{method} /empty HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            reader = peers.Reader(sock)
            head = reader.until(b"\r\n\r\n").decode()
            assert head.startswith(f"HTTP/1.1 {status.split()[0]}")
            assert ("ontent-" in head) == bool(fields)


def test_http_1_0_gets_bare_content_and_a_close(proxy, target):
    proxy.add("/old", target(lambda seen: peers.answer(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", length=False,
                                                       fields=["Transfer-Encoding: chunked"])))
    got = proxy.raw(b"GET /old HTTP/1.0\r\nHost: h\r\n\r\n")
    assert got.endswith(b"\r\n\r\nabcde") and b"chunked" not in got.lower()


def test_answer_that_ends_with_its_connection(proxy, target):
    def until_close(seen):
        seen.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BIG[:300_000])

    proxy.add("/close", target(until_close))
    assert sha(proxy.request(path="/close").body) == sha(BIG[:300_000])


def test_pipelined_requests_are_answered_in_order(proxy, target):
    proxy.add("/pipe", target(lambda seen: peers.answer(seen.target.encode() + seen.body)))
    many = b"".join(b"POST /pipe/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n!" % n for n in range(50))
    got = proxy.raw(many + b"GET /pipe/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 5)
    assert [got.find(b"/pipe/%d!" % n) > 0 for n in range(50)] == [True] * 50
    assert got.endswith(b"/pipe/end")


HEAD = b"POST /smuggle HTTP/1.1\r\nHost: h\r\n"
SMUGGLING = {
    "BothLengths": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TwoLengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "ListOfLengths": HEAD + b"Content-Length: 5, 6\r\n\r\nhello!",
    "SignedLength": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "HexLength": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "CodingNotLast": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "CodingUnknown": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "CodingTwice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CodingWithVerticalTab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "SpaceBeforeColon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "FoldedField": HEAD + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "BareLineFeed": b"POST /smuggle HTTP/1.1\r\nHost: h\nContent-Length: 0\r\n\r\n",
    "BareCarriageReturn": HEAD + b"X: a\rContent-Length: 5\r\n\r\nhello",
    "NulInField": HEAD + b"X: a\0b\r\n\r\n",
    "TwoHosts": b"GET /smuggle HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "NoHost": b"GET /smuggle HTTP/1.1\r\n\r\n",
    "ChunkedIn10": b"POST /smuggle HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "BadChunkSize": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "ChunkSizeOverflow": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "ChunkWithoutEnd": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "ChunkLineFeed": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "SpaceInTarget": b"GET /smuggle /x HTTP/1.1\r\nHost: h\r\n\r\n",
    "OtherVersion": b"GET /smuggle HTTP/9.1\r\nHost: h\r\n\r\n",
    "AuthorityAgainstHost": b"GET http://other/smuggle HTTP/1.1\r\nHost: h\r\n\r\n",
}
FOLLOWING = b"GET /smuggle/second HTTP/1.1\r\nHost: h\r\n\r\n"


@berth_only
@pytest.mark.parametrize("case", SMUGGLING)
def test_doubtful_requests_are_refused_and_the_connection_closed(proxy, target, case):
    one = target(lambda seen: peers.answer(b"forwarded"))
    proxy.add("/smuggle", one)
    got = proxy.raw(SMUGGLING[case] + FOLLOWING)
    assert got[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5"), got
    assert got.count(b"HTTP/1.1 ") == 1, "nothing after it is read as a request"
    assert b"forwarded" not in got
    assert not [seen for seen in one.seen if "second" in seen.target]


def test_heads_over_the_limit_are_431(proxy):
    got = proxy.raw(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 431")


@berth_only
def test_large_cookies_pass(proxy, target):
    one = target()
    proxy.add("/cookie", one)
    assert proxy.request(path="/cookie", headers={"Cookie": "a=" + "b" * 50_000}).status == 200
    assert len(one.seen[0].get("Cookie")) == 50_002


def test_absolute_form_is_forwarded_as_origin_form(proxy, target):
    one = target()
    proxy.add("/abs", one)
    proxy.raw(b"GET http://h/abs?x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert one.seen[0].target == "/abs?x"


def test_many_clients_that_vanish_leave_nothing_open(proxy, target):
    one = target(lambda seen: time.sleep(0.3) or peers.answer(b"x" * 100_000))
    proxy.add("/vanish", one)
    for _ in range(60):
        sock = proxy.connect()
        sock.sendall(b"GET /vanish HTTP/1.1\r\nHost: h\r\n\r\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    fds = f"/proc/{proxy.process.pid}/fd"
    assert peers.wait_until(lambda: one.open == 0 and len(os.listdir(fds)) < 60)
