"""Who finds no GPU free waits in a queue: with a place and times, over a kill of the hub, and starts by themselves."""

import json

from tests.integration.test_gpus import GPUS, lease_of
from tests.support.person import wait_until

ONE = {**GPUS, "gpu": {"agent": False, "devices": [{"uuid": "GPU-aaaa"}]}}


def queue(hub):
    return hub.api("GET", "/berth/gpu/queue").json()["waiting"]


def ask(hub, user):
    """A start that may wait: returns once the hub has taken it."""
    answer = hub.api("POST", f"/users/{user}/server", json={"profile": "gpu"})
    assert answer.status_code == 202, answer.text


def test_wait_with_a_place_and_start_by_itself(local_berth):
    hub = local_berth(ONE)
    ann, bob, eve = (hub.person(n).signed_in() for n in ("ann", "bob", "eve"))
    ann.started({"profile": "gpu"})
    ask(hub, "bob"), ask(hub, "eve")
    assert [(w["position"], w["user"], w["gpus"]) for w in queue(hub)] == [(1, "bob", 1), (2, "eve", 1)]
    offered = eve.session.get(f"{eve.url}/hub/api/berth/gpu/queue").json()["waiting"]
    assert [w["user"] for w in offered] == [None, "eve"], "others' names are not for everybody"
    hub.kill9()
    hub.start()
    assert [w["user"] for w in queue(hub)] == ["bob", "eve"]
    assert lease_of(hub, "ann") == ["GPU-aaaa"]
    ann.stop()
    bob.wait_ready()
    assert lease_of(hub, "bob") == ["GPU-aaaa"]
    assert [w["user"] for w in queue(hub)] == ["eve"]
    assert hub.api("DELETE", "/users/eve/server").status_code in (202, 204)
    wait_until("eve has left the queue", lambda: not queue(hub), 20)
    bob.open_lab()
    assert bob.kernel().variable("CUDA_VISIBLE_DEVICES") == "GPU-aaaa"


def test_why_and_what_would_help(local_berth):
    hub = local_berth({**ONE, "gpu": {**ONE["gpu"], "quotas": [{"user": "*", "gpus": 1}]}})
    hub.person("ann").signed_in().started({"profile": "gpu"})
    bob = hub.person("bob").signed_in()
    why = hub.api("POST", "/berth/gpu/simulate", json={"user": "bob", "options": {"profile": "gpu"}}).json()
    assert not why["starts_now"] and why["position"] == 1
    assert [d["excluded_by"] for d in why["devices"]] == ["in_use"], why
    assert why["helps"], "nothing that would help is named"
    too_many = hub.api("POST", "/berth/gpu/simulate", json={"user": "bob", "options": {"profile": "gpu", "gpus": 2}}).json()
    assert too_many["refusal"], too_many
    offer = bob.session.get(f"{bob.url}/hub/api/berth/profiles").json()
    of_gpu = next(p for p in offer if p["name"] == "gpu")["available"]
    assert not of_gpu["fits"] and of_gpu["wait"]["position"] == 1, of_gpu
    assert queue(hub) == [], "asking changes nothing"
    # Somebody else's start is not for Bob to ask about.
    page = bob.session.get(f"{bob.url}/hub/home")
    assert page.ok
    xsrf = bob.cookie("_xsrf", "/hub/")
    asked = bob.session.post(f"{bob.url}/hub/api/berth/gpu/simulate", data=json.dumps({"user": "ann"}),
                             headers={"X-XSRFToken": xsrf or "", "Content-Type": "application/json"})
    assert asked.status_code in (403, 404), asked.text


def test_gpu_hours_add_up(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu", "gpus": 2})
    ann.stop()
    ann.wait_stopped()
    by = {key: hub.api("GET", f"/berth/gpu/usage?by={key}").json()["rows"] for key in ("user", "gpu", "group")}
    total = {key: sum(row["gpu_hours"] for row in rows) for key, rows in by.items()}
    assert [row["user"] for row in by["user"]] == ["ann"] and len(by["gpu"]) == 2
    assert total["user"] > 0 and abs(total["user"] - total["gpu"]) < 1e-9 and abs(total["user"] - total["group"]) < 1e-9
    table = hub.api("GET", "/berth/gpu/usage?by=user&format=csv")
    assert table.text.splitlines()[0] == "user,gpu_hours,used_hours,wasted_hours,energy_kwh,intervals" and '"ann"' in table.text
    assert hub.api("GET", "/berth/gpu/usage?by=moon").status_code == 400
    assert hub.api("GET", "/berth/gpu/usage?from=yesterday").status_code == 400
