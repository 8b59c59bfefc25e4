"""The REST API and the flags of configurable-http-proxy (hub-protocol §14.2, §14.11)."""

import datetime
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.conformance import proxy_peers as peers
from tests.conformance.conftest import berth_only


def test_creates_shows_and_deletes_a_route(proxy, target):
    one = target()
    before = datetime.datetime.now(datetime.timezone.utc)
    proxy.add("/made", one, user="ann", server_name="", jupyterhub=True)
    route = json.loads(proxy.api("GET", "/api/routes/made").body)
    stamp = datetime.datetime.fromisoformat(route.pop("last_activity").replace("Z", "+00:00"))
    assert route == {"target": one.url, "user": "ann", "server_name": "", "jupyterhub": True}
    assert abs((stamp - before).total_seconds()) < 5
    everything = proxy.api("GET", "/api/routes")
    assert everything.getheader("Content-Type").startswith("application/json")
    assert "/made" in json.loads(everything.body)
    assert proxy.request(path="/made/x").status == 200
    gone = proxy.api("DELETE", "/api/routes/made")
    assert (gone.status, gone.body) == (204, b"")
    assert proxy.api("DELETE", "/api/routes/made").status == 404
    assert proxy.api("GET", "/api/routes/made").status == 404
    assert proxy.request(path="/made/x").status == 404


def test_stores_the_decoded_path(proxy, target):
    one = target()
    proxy.add("/user/foo%40bar%20x", one)
    assert "/user/foo@bar x" in proxy.routes()
    assert proxy.api("GET", "/api/routes/user/foo@bar%20x").status == 200
    assert proxy.api("DELETE", "/api/routes/user/foo%40bar%20x/").status == 204


def test_keeps_the_root_route(start, target):
    proxy, one = start(), target()
    proxy.add("/", one)
    assert list(proxy.routes()) == ["/"]
    assert proxy.request(path="/any/where").status == 200
    assert proxy.api("DELETE", "/api/routes/").status == 204
    assert proxy.routes() == {}


def test_replaces_a_route(proxy, target):
    first, second = target(lambda seen: peers.answer(b"1")), target(lambda seen: peers.answer(b"2"))
    proxy.add("/again", first)
    assert proxy.request(path="/again").body == b"1"
    proxy.add("/again/", second)
    assert proxy.request(path="/again").body == b"2"


@pytest.mark.parametrize("token", [None, "wrong", ""])
def test_refuses_without_the_token(proxy, token):
    for method in ("GET", "DELETE"):
        response = proxy.api(method, "/api/routes", token=token)
        assert (response.status, response.body) == (403, b"")
    assert proxy.api("POST", "/api/routes/x", {"target": "http://127.0.0.1:1"}, token=token).status == 403


@pytest.mark.parametrize("body", ["no json", "{}", '{"target": 5}'])
def test_refuses_bad_routes(proxy, body):
    assert proxy.api("POST", "/api/routes/bad", raw=body).status == 400
    assert "/bad" not in proxy.routes()


def test_knows_its_paths_and_methods(proxy):
    assert proxy.api("PUT", "/api/routes/x", {"target": "http://127.0.0.1:1"}).status == 405
    assert proxy.api("GET", "/other").status == 404


def test_filters_by_activity(proxy, target):
    proxy.add("/active", target())
    now = datetime.datetime.now(datetime.timezone.utc)

    def since(time_):
        query = urllib.parse.quote(time_.isoformat().replace("+00:00", "Z"))
        return json.loads(proxy.api("GET", f"/api/routes?inactiveSince={query}").body)

    assert "/active" not in since(now - datetime.timedelta(hours=1))
    assert "/active" in since(now + datetime.timedelta(hours=1))
    assert proxy.api("GET", "/api/routes?inactiveSince=endofdays").status == 400


def test_default_target(start, target):
    one = target()
    proxy = start("--default-target", one.url)
    assert list(proxy.routes()) == ["/"]
    assert json.loads(proxy.request(path="/a/b?c").body)["target"] == "/a/b?c"


def test_health(proxy):
    response = proxy.request(path="/_chp_healthz")
    assert (response.status, json.loads(response.body)) == (200, {"status": "OK"})


def test_custom_headers_go_to_the_target(start, target):
    one = target()
    proxy = start("--default-target", one.url, "--custom-header", "X-One: 1", "--custom-header", "X-Two: a:b: c")
    proxy.request()
    assert (one.seen[0].get("x-one"), one.seen[0].get("x-two")) == ("1", "a:b: c")


def run_until_end(*flags):
    return subprocess.run(peers.command() + list(flags), capture_output=True, text=True, timeout=15, check=False)


def test_refuses_a_custom_header_without_colon():
    done = run_until_end("--port", str(peers.free_port()), "--custom-header", "nonsense")
    assert done.returncode == 1
    assert "A colon was expected" in done.stdout + done.stderr


@berth_only
def test_says_that_the_port_is_taken(proxy):
    done = run_until_end("--ip", "127.0.0.1", "--port", str(proxy.port), "--api-port", str(peers.free_port()))
    assert done.returncode == 1
    assert str(proxy.port) in done.stderr and "use" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ends_with_two_and_removes_its_pid_file(start, short_folder, how):
    proxy = start("--pid-file", str(short_folder / "pid"))
    assert int((short_folder / "pid").read_text()) == proxy.process.pid
    assert proxy.stop(how) == 2
    assert not (short_folder / "pid").exists()


@berth_only
def test_lets_a_request_in_flight_end(start, target):
    slow = target(lambda seen: time.sleep(0.7) or peers.answer(b"done"))
    proxy = start("--default-target", slow.url)
    with proxy.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert peers.wait_until(lambda: slow.seen)
        proxy.process.send_signal(signal.SIGTERM)
        assert peers.read_rest(sock).endswith(b"done")
    assert proxy.process.wait(10) == 2


@berth_only
def test_has_its_routes_after_a_kill(start, short_folder, target):
    one = target()
    proxy = start("--routes-file", str(short_folder / "routes"))
    proxy.add("/user/ann", one, user="ann")
    proxy.add("/user/bob", one)
    proxy.api("DELETE", "/api/routes/user/bob")
    proxy.stop(signal.SIGKILL)
    (short_folder / "routes").open("a").write('{"set": "user/torn')  # a line that the kill cut
    proxy.start()
    assert list(proxy.routes()) == ["/user/ann"]
    assert proxy.routes()["/user/ann"]["user"] == "ann"
    assert proxy.request(path="/user/ann/").status == 200


def test_runs_on_unix_sockets(start, short_folder, target):
    one = target(path=short_folder / "t")
    ws = target(peers.websocket_echo, path=short_folder / "w")
    proxy = start(sockets=short_folder)
    proxy.add("/web", one)
    proxy.add("/ws", ws)
    assert json.loads(proxy.request(path="/web/x").body)["target"] == "/web/x"
    socket_ = peers.WebSocket(proxy, "/ws")
    assert socket_.receive() == b"hello"


def test_routes_by_host(start, target):
    here, there = target(lambda seen: peers.answer(b"here")), target(lambda seen: peers.answer(b"rest"))
    proxy = start("--host-routing")
    proxy.add("/test.localhost.org", here)
    proxy.add("/", there)
    assert proxy.request(headers={"Host": "test.localhost.org:8000"}).body == b"here"
    assert proxy.request(path="/x", headers={"Host": "other.org"}).body == b"rest"


def test_counts_what_it_does(start, target):
    """Under CHP's names; both count the metrics listener's own answers nowhere."""
    port = peers.free_port()
    proxy = start("--metrics-ip", "127.0.0.1", "--metrics-port", str(port))

    def ask(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def count(name):
        found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", ask("/metrics"), re.M)
        return float(found[1]) if found else 0

    names = ["requests_web", 'requests_proxy{status="200"}', 'requests_proxy{status="404"}', "api_route_add",
             'requests_api{status="201"}']
    before = {name: count(name) for name in names}
    proxy.add("/counted", target())
    assert proxy.request(path="/counted/x").status == 200
    assert proxy.request(path="/nowhere").status == 404
    grown = {name: count(name) - before[name] for name in names}
    assert grown == {"requests_web": 2, 'requests_proxy{status="200"}': 1, 'requests_proxy{status="404"}': 1,
                     "api_route_add": 1, 'requests_api{status="201"}': 1}
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("/")
    assert refused.value.code == 404


@berth_only
def test_refuses_a_storage_backend_and_names_the_way_out():
    done = run_until_end("--port", str(peers.free_port()), "--storage-backend", "configproxy-redis-storage")
    assert done.returncode == 1
    assert "--routes-file" in done.stdout + done.stderr
