"""One misbehaviour of the engine, the disk or the machine a test, each with what a person must then find."""

import contextlib
import sqlite3
import time

import requests

from tests.chaos.walker import rows_of
from tests.support.cli import berth_json
from tests.support.person import wait_until


def server(world, user):
    answer = world.hub.api("GET", f"/users/{user}", params={"include_stopped_servers": "1"})
    return answer.json().get("servers", {}).get("") or {} if answer.status_code == 200 else {}


def failure(world, user):
    with contextlib.suppress(requests.RequestException):
        return (server(world, user).get("berth") or {}).get("failure") or ""
    return ""


def running(world, user, profile="cpu"):
    world.hub.api("POST", f"/users/{user}")
    answer = world.hub.api("POST", f"/users/{user}/server", json={"profile": profile})
    assert answer.status_code in (201, 202), answer.text
    wait_until("it runs", lambda: server(world, user).get("ready"), 60)
    return said(world, user)["boot"]


def said(world, user):
    with contextlib.suppress(requests.RequestException, ValueError):
        answer = requests.get(f"{world.hub.url}/user/{user}/", timeout=10, allow_redirects=False)
        return answer.json() if answer.status_code == 200 else {}
    return {}


def eat(world, user):
    with contextlib.suppress(requests.RequestException):
        requests.get(f"{world.hub.url}/user/{user}/eat", timeout=10)


def container(world, user):
    return world.engine.inspect(f"{world.mark}-{user}")


def kill_hub(world):
    world.held_back = True
    world.kill("serve")
    wait_until("it is dead", lambda: world.hub.process.poll() is not None, 10)


def let_hub_start(world):
    world.held_back = False
    wait_until("another one runs", lambda: world.hub.process.poll() is None, 10)
    world.hub.wait_healthy()


def test_a_server_ended_for_its_memory_says_so(world):
    running(world, "ann", "small")
    eat(world, "ann")
    wait_until("it says memory", lambda: "memory" in failure(world, "ann"), 30)
    assert not server(world, "ann").get("ready")


def test_a_server_ended_for_its_memory_while_no_hub_ran_says_so(world):
    running(world, "bob", "small")
    kill_hub(world)
    eat(world, "bob")
    wait_until("the engine ended it", lambda: not container(world, "bob")["State"]["Running"], 30)
    let_hub_start(world)
    wait_until("it is stopped", lambda: not server(world, "bob").get("ready") and not server(world, "bob").get("pending"), 30)
    assert "memory" in failure(world, "bob")


def test_a_server_ended_for_its_memory_while_events_were_lost_says_so(world):
    running(world, "eve", "small")
    world.gate.deaf_to_events = True
    eat(world, "eve")
    wait_until("reconcile sees it", lambda: not server(world, "eve").get("ready"), 30)
    wait_until("it says memory", lambda: "memory" in failure(world, "eve"), 10)
    world.gate.deaf_to_events = False


def test_a_hub_killed_while_it_ends_a_server_still_says_why(world):
    running(world, "kim", "small")
    world.gate.fault = lambda call: "hang" if call.name in ("stop", "remove") else None
    eat(world, "kim")
    wait_until("it is being ended", lambda: "memory" in failure(world, "kim"), 30)
    kill_hub(world)
    world.gate.fault = None
    let_hub_start(world)
    wait_until("it is stopped", lambda: (one := server(world, "kim")) and not one["ready"] and not one["pending"], 30)
    assert "memory" in failure(world, "kim")


def test_a_full_disk_refuses_starts_with_a_reason_and_ends_servers_all_the_same(world):
    boot = running(world, "ann")
    running(world, "bob", "gpu")
    world.hub.api("POST", "/users/eve")
    world.disk.fault = lambda what, _: "n" if what == "w" else None
    refused = world.hub.api("POST", "/users/eve/server", json={"profile": "gpu"})
    assert refused.status_code == 503 and "full" in refused.json()["message"], refused.text
    assert said(world, "ann").get("boot") == boot, "what runs goes on"
    assert world.hub.api("DELETE", "/users/bob/server").status_code in (202, 204)
    wait_until("its container is gone", lambda: container(world, "bob") is None, 30)
    assert [lease["state"] for lease in rows_of(world.state_dir)["leases"]], "its lease waits for the disk"
    world.disk.fault = None
    wait_until("its lease is ended", lambda: not rows_of(world.state_dir)["leases"], 60)
    [stop] = berth_json(world.hub, "audit", "--action", "server.stop")
    assert stop["target"] == "bob/", "who asked is written as soon as the disk takes it"
    assert said(world, "ann").get("boot") == boot
    running(world, "eve")


def test_after_a_failed_sync_nobody_is_told_and_the_next_start_reads_the_disk(world):
    boot = running(world, "ann")
    first = world.hub.process.pid
    exits = dict(world.hub_exits)
    world.disk.fault = lambda what, _: "e" if what == "s" else None
    with contextlib.suppress(requests.RequestException):
        answer = world.hub.api("POST", "/users/zoe")
        assert answer.status_code >= 500, "nobody may be told that it was done"
    wait_until("the hub ended", lambda: world.hub_exits.get("exit 74", 0) > exits.get("exit 74", 0), 20)
    world.disk.fault = None
    assert "store.sync_failed" in world.hub.log()
    wait_until("another one runs", lambda: world.hub.process.pid != first and world.hub.process.poll() is None, 20)
    world.hub.wait_healthy()
    wait_until("and has ann's server", lambda: server(world, "ann").get("ready"), 20)
    assert said(world, "ann").get("boot") == boot


def test_a_busy_database_is_waited_for(world):
    running(world, "ann")
    path = world.state_dir / "berth.sqlite"
    with contextlib.closing(sqlite3.connect(path, timeout=10, check_same_thread=False)) as other:
        other.execute("begin immediate")
        world.in_background(lambda: (time.sleep(2), other.rollback()))
        began = time.monotonic()
        assert world.hub.api("GET", "/users/ann").status_code == 200 and time.monotonic() - began < 1, "reading goes on"
        assert world.hub.api("POST", "/users/late").status_code == 201
        assert time.monotonic() - began > 1.5
        for thread in world.background:
            thread.join(10)


def test_a_container_that_died_unseen_is_found(world):
    running(world, "ann", "gpu")
    world.gate.deaf_to_events = True
    assert world.engine.kill_container(f"{world.mark}-ann")
    wait_until("it is stopped", lambda: not server(world, "ann").get("ready"), 30)
    wait_until("its lease is ended", lambda: not rows_of(world.state_dir)["leases"], 30)
    world.gate.deaf_to_events = False


def test_an_engine_that_is_killed_and_comes_back_costs_nobody_their_server(world):
    boot = running(world, "ann", "gpu")
    first = world.engine.process.pid
    assert world.kill_engine()
    wait_until("it is back", lambda: world.engine.process.pid != first and world.engine.process.poll() is None
               and world.engine.answers(), 60)
    time.sleep(3)  # more than one look of the hub
    assert server(world, "ann")["ready"] and said(world, "ann")["boot"] == boot


def token_of(world, user, **wanted):
    answer = world.hub.api("POST", f"/users/{user}/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def leases_of(world):
    return {one["id"]: one["state"] for one in rows_of(world.state_dir)["leases"]}


def test_the_clock_set_ahead_or_back_ends_nothing(world):
    boots = {"ann": running(world, "ann", "gpu"), "bob": running(world, "bob", "hour")}
    lasting, hourly = token_of(world, "ann"), token_of(world, "ann", expires_in=3600)
    wait_until("its lease is active", lambda: list(leases_of(world).values()) == ["active"], 10)
    leases = leases_of(world)
    day = 86400
    for offset, seconds in ((day, 12), (-day, 12), (20 * day, 3), (-20 * day, 3), (0, 12)):  # housekeeping comes every 10 s
        world.disk.set_clock(offset)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for user, boot in boots.items():
                assert server(world, user)["ready"] and said(world, user)["boot"] == boot, offset
                assert not server(world, user)["berth"].get("ending"), f"{offset}: nobody was idle for an hour"
                assert container(world, user)["State"]["Running"]
            time.sleep(0.5)
        assert leases_of(world) == leases, offset
        assert world.hub.api("GET", "/user", lasting).status_code == 200, offset
        own = requests.get(f"{world.hub.url}/user/ann/hub", timeout=10).json()
        assert own["name"] == "ann", f"{offset}: the server's own token opens the hub: {own}"
    assert world.hub.api("GET", "/user", hourly).status_code == 200, "its hour is not over"


def test_a_proxy_that_no_file_names_is_found_by_the_next_hub(world):
    """As after a kill -9 between starting it and noting that down."""
    boot = running(world, "ann")
    first = world.pid_of("proxy")
    kill_hub(world)
    (world.state_dir / "proxy.json").unlink(missing_ok=True)
    let_hub_start(world)
    assert world.pid_of("proxy") == first
    wait_until("it leads to ann's server", lambda: said(world, "ann").get("boot") == boot, 20)
