"""More starts at once than the machine can do: they take their turns, and people see where they stand."""

import time

import pytest

from tests.support import overload
from tests.support.person import wait_until

COUNT = 40
AT_A_TIME = 3


def position_of(server):
    return (server.get("berth") or {}).get("position")


def test_many_starts_at_once_take_turns(berth):
    hub = berth(overload.config(AT_A_TIME, 0.4))
    names = overload.make_users(hub, COUNT)
    pages = overload.Pages(hub)
    starts = overload.Starts(hub, names)
    wait_until("most of them wait", lambda: len(
        [s for s in overload.all_servers(hub).values() if position_of(s)]) > COUNT // 2, 30)
    cancelled, watched = None, None
    for _ in range(5):
        servers = overload.all_servers(hub)
        positions = {name: position_of(server) for name, server in servers.items() if position_of(server)}
        assert sorted(positions.values()) == list(range(1, len(positions) + 1)), "everybody has one of their own"
        under_way = [n for n, s in servers.items() if s["pending"] == "spawn" and not position_of(s)]
        # One whose turn just came has left the line and is not written down yet.
        assert len(under_way) <= AT_A_TIME + 1, under_way
        if positions and cancelled is None:
            cancelled, watched = (sorted(positions, key=positions.get)[index] for index in (-1, -2))
            assert hub.api("DELETE", f"/users/{cancelled}/server").status_code in (202, 204)
        time.sleep(0.2)
    events = hub.person(watched).signed_in().progress(timeout=90)
    told = [event["position"] for event in events if "position" in event]
    assert told and told == sorted(told, reverse=True), "it comes nearer"
    assert "position" in next(event["message"] for event in events if "position" in event)
    assert events[-1].get("ready"), events[-1]
    statuses = starts.answered()
    assert {status for name, status in statuses.items() if name != cancelled} <= {201, 202}, statuses
    wait_until("all but the cancelled one run", lambda: sum(
        s["ready"] for s in overload.all_servers(hub).values()) == COUNT - 1, 90)
    assert cancelled not in overload.all_servers(hub)
    seconds = pages.stop()
    assert not pages.bad, pages.bad[:5]
    assert overload.at(seconds, 0.9) < 0.1, f"pages took {seconds[len(seconds) // 2]:.3f} to {seconds[-1]:.3f} s"


def test_one_persons_many_do_not_keep_another_waiting(berth):
    hub = berth(overload.config(1, 0.5))
    greedy, modest = overload.make_users(hub, 2)
    for server in ("", "a", "b", "c"):
        where = f"/users/{greedy}/" + (f"servers/{server}" if server else "server")
        overload.threading.Thread(target=hub.api, args=("POST", where), daemon=True).start()
    wait_until("the greedy one's wait", lambda: len(hub.api("GET", f"/users/{greedy}").json()["servers"]) == 4, 20)
    assert hub.api("POST", f"/users/{modest}/server").status_code in (201, 202)
    wait_until("the modest one runs", lambda: (hub.server(modest) or {}).get("ready"), 30)
    waiting = [s for s in hub.api("GET", f"/users/{greedy}").json()["servers"].values() if not s["ready"]]
    assert waiting, "it did not wait for all of the other's"


@pytest.mark.parametrize("how", ["kill -9", "stop"])
def test_those_who_wait_outlive_the_hub(berth, how):
    hub = berth(overload.config(1, 0.4))
    names = overload.make_users(hub, 12)
    overload.Starts(hub, names)
    wait_until("they wait", lambda: len(
        [s for s in overload.all_servers(hub).values() if position_of(s)]) >= 9, 20)
    known = overload.all_servers(hub)  # the last ones may not have been asked for yet
    if how == "kill -9":
        hub.kill9()
    else:
        assert hub.stop() == 0
    hub.start()

    def all_run():
        servers = overload.all_servers(hub)
        return all((servers.get(name) or {}).get("ready") for name in known)
    wait_until("every one of them runs", all_run, 60)
