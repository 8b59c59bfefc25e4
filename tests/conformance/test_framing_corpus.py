"""Every case of the framing corpus through a running proxy, and what comes out through a second parser. What is refused
reaches nobody; what is accepted is the same message, with the same end, to h11 behind the proxy."""

import h11
import pytest

from tests.conformance import framing_corpus as corpus
from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only

pytestmark = berth_only

AFTER = b"GET /after HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"  # what a body holds; no parser may take it for a request
SPLIT = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
# Larger than a test needs to send; and what h11 refuses, which wants targets in ASCII as browsers do not.
LEFT_OUT = {"LengthThatWrapsAt32Bit", "LengthOf18Digits", "ObsTextInTarget"}


@pytest.fixture(scope="module")
def strict():
    one = corpus.StrictTarget()
    yield one
    one.close()


@pytest.fixture(scope="module")
def door(strict):
    one = peers.Proxy("--default-target", strict.url)
    yield one
    one.close()


@pytest.fixture(autouse=True)
def fresh(strict):
    strict.seen.clear()
    strict.errors.clear()


def each(*kinds):
    found = [one for one in corpus.cases(*kinds) if one.name not in LEFT_OUT]
    return pytest.mark.parametrize("case", found, ids=[f"{one.file}-{one.name}" for one in found])


def body_of(case, filling):
    """A body as the case announces it: what goes over the wire, and what it decodes to."""
    kind, _, length = case.words[0].partition(" ")
    if kind == "chunked":
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(filling), filling), filling
    if kind == "until_close":
        return filling, filling
    if kind != "length":
        return b"", b""
    plain = (filling * (int(length) // len(filling) + 1))[:int(length)]
    return plain, plain


def answers(data, methods):
    """h11's reading of what came back to these requests, in order."""
    found = []
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(data)
    connection.receive_data(b"")
    for method in methods:
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
        connection.send(h11.EndOfMessage())
        found.append(corpus.next_message(connection))
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            break
        connection.start_next_cycle()
    return found


def check_refused(got, strict):
    assert got[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5"), got
    assert got.count(b"HTTP/1.1 ") == 1, "nothing behind it is read as a request"
    assert not strict.seen, "no whole request reached the target"


@each("request")
def test_requests(door, strict, case):
    if case.want == "waits":
        with door.connect() as sock:
            sock.sendall(case.data)
            sock.shutdown(peers.socket.SHUT_WR)
            assert peers.read_rest(sock) == b""
        return
    if case.is_refused:
        return check_refused(door.raw(case.data + AFTER), strict)
    wire, body = body_of(case, HIDDEN)
    got = door.raw(case.data + wire + AFTER)
    method, target = case.data.strip().decode("latin-1").split(" ")[:2]
    closes = "close" in case.words
    found = answers(got, [method] if closes else [method, "GET"])
    assert [one.start for one in found] == [200] * (1 if closes else 2), got
    assert not strict.errors
    first = strict.seen[0]
    assert first.start[0] == method and target.endswith(first.start[1].lstrip("/")), first
    assert first.body == body
    assert [one.start for one in strict.seen[1:]] == ([] if closes else [("GET", "/after")])


@each("chunks")
def test_chunked_bodies(door, strict, case):
    head = b"POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    if case.is_refused:
        return check_refused(door.raw(head + case.data + AFTER), strict)
    if case.want == "waits":
        with door.connect() as sock:
            sock.sendall(head + case.data)
            sock.shutdown(peers.socket.SHUT_WR)
            assert peers.read_rest(sock) == b""
        assert not strict.seen
        return
    got = door.raw(head + case.data + AFTER)
    assert [one.start for one in answers(got, ["POST", "GET"])] == [200, 200], got
    body = corpus.unescaped(case.want.removeprefix("body").removeprefix(" "))
    assert strict.seen == [corpus.Message(("POST", "/chunks"), body), corpus.Message(("GET", "/after"), b"")]


@each("response", "response to HEAD")
def test_answers(door, target, case):
    method = "GET" if case.kind == "response" else "HEAD"
    wire, body = body_of(case, SPLIT) if not case.is_refused and case.want != "waits" else (b"", b"")
    status = int(case.data.split()[1]) if not case.is_refused else 0
    interim = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" if 100 <= status < 200 else b""

    def reply(seen):
        seen.socket.sendall(case.data + (b"" if method == "HEAD" else wire) + interim)

    door.add("/answer", target(reply))
    got = door.raw(f"{method} /answer HTTP/1.1\r\nHost: h\r\n\r\n".encode() + AFTER)
    found = answers(got, [method, "GET"])
    if case.is_refused or case.want == "waits" or status == 101:  # nobody asked to switch
        want, body = 503, found[0].body
    else:
        want = 200 if interim else status
    assert found[0] == corpus.Message(want, b"" if method == "HEAD" else body), got
    if len(found) == 2:
        assert found[1] == corpus.Message(200, b"ok"), got
