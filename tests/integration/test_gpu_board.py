"""What a GPU did, who used how much of it, and word of every change: with readings of the stand-in NVML."""

import json
import os
import threading
import time

import pytest
import requests

from tests.support import venvs
from tests.support.hub import OPS_TOKEN
from tests.support.person import wait_until

LIBRARY = venvs.ROOT / "build" / "release" / "stand-ins" / "libnvidia-ml.so.1"
CONFIG = {"gpu": {"agent": True, "nvml_library": str(LIBRARY), "poll_interval": "1s"},
          "profiles": [{"name": "gpu", "gpus": 1}]}


@pytest.fixture
def driver(folder, monkeypatch):
    """driver(a="utilisation 90") is what the driver says from now on: statements of the model, by GPU."""
    if not LIBRARY.exists():
        pytest.skip("the stand-in NVML library is not built (target standin_nvml)")
    monkeypatch.setenv("BERTH_NVML_MODEL", str(folder / "gpus"))

    def say(*faults, **gpus):
        lines = [f"gpu\nuuid GPU-{name}\nmemory_mib 1000\n{text}" for name, text in gpus.items()]
        (folder / "gpus.new").write_text("\n".join([*lines, *faults]) + "\n")
        os.replace(folder / "gpus.new", folder / "gpus")
    return say


def history(hub, **query):
    return hub.api("GET", "/berth/gpu/history", params=query).json()


def states(hub, uuid):
    return [span["state"] for span in history(hub)["spans"].get(uuid, [])]


def usage(hub, by, **query):
    return hub.api("GET", "/berth/gpu/usage", params={"by": by, **query})


def test_the_past_of_each_gpu_and_what_was_used(local_berth, driver):
    driver(a="utilisation 0", b="utilisation 0")
    hub = local_berth(CONFIG)
    wait_until("the GPUs are seen free", lambda: states(hub, "GPU-a") == ["free"], 30)
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    driver(a="utilisation 80\nused_mib 500\npower_mw 300000", b="utilisation 0")
    wait_until("ann's GPU is busy", lambda: states(hub, "GPU-a")[-1:] == ["busy"], 20)
    time.sleep(4)
    driver("error nvmlDeviceGetMemoryInfo_v2 16 1", a="utilisation 80\nused_mib 500\npower_mw 300000", b="utilisation 0")
    wait_until("the other is sick", lambda: states(hub, "GPU-b")[-1:] == ["sick"], 20)
    seen = states(hub, "GPU-a")
    assert seen[0] == "free" and seen[-1] == "busy", seen
    series = history(hub)["series"]["GPU-a"]
    assert max(value or 0 for value in series["utilization"]) > 0.05, series
    assert history(hub)["devices"]["GPU-a"][0]["user"] == "ann"
    ann.stop()
    ann.wait_stopped()
    hub.stop()  # what is not written yet is written
    hub.start()
    assert states(hub, "GPU-a")[:len(seen)] == seen, "the next hub remembers"
    [row] = usage(hub, "user").json()["rows"]
    assert row["user"] == "ann" and 0 < row["used_hours"] <= row["gpu_hours"], row
    assert abs(row["used_hours"] + row["wasted_hours"] - row["gpu_hours"]) < 1e-9
    assert row["energy_kwh"] > 4 * 300 / 3.6e6 * 0.5, row
    totals = {}
    for by in ("user", "group", "model", "profile", "gpu", "device", "week", "user,week"):
        rows = usage(hub, by).json()["rows"]
        totals[by] = [round(sum(each[key] for each in rows), 9) for key in ("gpu_hours", "used_hours", "energy_kwh")]
    assert all(each == totals["user"] for each in totals.values()), totals
    assert [each["profile"] for each in usage(hub, "profile").json()["rows"]] == ["gpu"]
    assert 'berth_gpu_usage_used_hours{user="ann"} ' in usage(hub, "user", format="openmetrics").text


def test_names_by_the_pools_privacy(local_berth, driver):
    driver(a="utilisation 0", b="utilisation 0")
    pools = [{"name": "shown", "devices": ["GPU-b"], "privacy": "open"}]
    profiles = [{"name": "gpu", "gpus": 1}, {"name": "shown", "gpus": 1, "gpu_pool": "shown"}]
    hub = local_berth({**CONFIG, "gpu": {**CONFIG["gpu"], "pools": pools}, "profiles": profiles})
    wait_until("the GPUs are seen", lambda: len(hub.api("GET", "/berth/gpus").json()["devices"]) == 2, 30)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    hub.api("PUT", "/berth/gpus/GPU-b/cordon")
    ann.started({"profile": "gpu"})
    hub.api("DELETE", "/berth/gpus/GPU-b/cordon")

    def seen_by(person):
        devices = person.hub_api("GET", "/berth/gpus").json()["devices"]
        now = [lease["user"] for device in devices for lease in device["leases"]]
        past = [span["user"] for spans in person.hub_api("GET", "/berth/gpu/history").json()["devices"].values() for span in spans]
        return now, past, [row["user"] for row in person.hub_api("GET", "/berth/gpu/usage").json()["rows"]]

    def told(person, options):
        return person.hub_api("POST", "/berth/gpu/simulate", json={"options": options}).text
    assert seen_by(ann) == (["ann"], ["ann"], ["ann"])
    assert seen_by(bob) == ([None], [None], []), "a pool that counts names nobody"
    assert "ann" not in told(bob, {"profile": "gpu"}) and "ann" in told(ann, {"profile": "gpu"})
    ann.stop()
    ann.wait_stopped()
    hub.api("PUT", "/berth/gpus/GPU-a/cordon")
    ann.started({"profile": "shown"})
    assert seen_by(bob) == (["ann"], [None, "ann"], ["ann"]), "an open pool does"
    assert "The end of a server of ann." in told(bob, {"profile": "shown"})


class Listener(threading.Thread):
    """Reads the stream until it ends."""

    def __init__(self, hub, token):
        super().__init__(daemon=True)
        self.events, self.ended = [], threading.Event()
        self.answer = requests.get(f"{hub.url}/hub/api/berth/gpu/events", headers={"Authorization": f"token {token}"},
                                   stream=True, timeout=30)
        self.start()

    def run(self):
        try:
            for line in self.answer.iter_lines():
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line[6:])["changed"])
        except requests.RequestException:
            pass
        self.ended.set()

    def told(self, what):
        return any(what in event for event in self.events[1:])


def test_word_of_every_change_until_the_token_ends(local_berth, driver):
    driver(a="utilisation 0")
    hub = local_berth(CONFIG)
    wait_until("the GPU is seen", lambda: hub.api("GET", "/berth/gpus").json()["devices"], 30)
    ann = hub.person("ann").signed_in()
    made = hub.api("POST", "/users/ann/tokens", json={"note": "board"}).json()
    ours, theirs = Listener(hub, OPS_TOKEN), Listener(hub, made["token"])
    assert ours.answer.headers["Content-Type"] == "text/event-stream"
    wait_until("both are greeted", lambda: ours.events and theirs.events, 10)
    assert ours.events[0] == ["devices", "leases", "queue"]
    ann.started({"profile": "gpu"})
    wait_until("the lease is told", lambda: ours.told("leases") and theirs.told("leases"), 10)
    hub.api("POST", "/users/bob", json={})
    assert hub.api("POST", "/users/bob/server", json={"profile": "gpu"}).status_code == 202
    wait_until("the queue is told", lambda: ours.told("queue"), 10)
    driver(a="utilisation 70")
    before = len(ours.events)
    wait_until("the reading is told", lambda: any("devices" in event for event in ours.events[before:]), 10)
    assert hub.api("DELETE", f"/users/ann/tokens/{made['id']}").status_code == 204
    assert theirs.ended.wait(10), "it went on after its token was revoked"
    assert not ours.ended.is_set()
    began, told = time.monotonic(), len(ours.events)
    for load in range(10, 40):
        driver(a=f"utilisation {load}")
        time.sleep(0.1)
    assert len(ours.events) - told <= 2 * (time.monotonic() - began) + 1, "no more than two a second"
    assert requests.get(f"{hub.url}/hub/api/berth/gpu/events", timeout=10).status_code == 403
    began = time.monotonic()
    hub.stop()
    assert time.monotonic() - began < 5, "a stop waits for nobody who listens"


@pytest.mark.parametrize(("policy", "one", "two"), [("topology", "GPU-a", "GPU-b GPU-d"), ("spread", "GPU-a", "GPU-b GPU-d")])
def test_links_decide_who_gets_which(local_berth, driver, policy, one, two):
    """a and c hang together, and b and d: who wants one leaves pairs whole, and spread looks at the neighbours."""
    wires = ["nvlink 0 2 4", "nvlink 1 3 4", "ancestor 0 2 10", "ancestor 1 3 10"]
    driver(*wires, a="", b="", c="", d="")
    hub = local_berth({**CONFIG, "gpu": {**CONFIG["gpu"], "policy": policy},
                       "profiles": [{"name": "one", "gpus": 1}, {"name": "two", "gpus": 2}]})
    wait_until("the GPUs are seen", lambda: len(hub.api("GET", "/berth/gpus").json()["devices"]) == 4, 30)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()

    def held_by(person):
        person.started({"profile": "one" if person is ann else "two"})
        devices = hub.api("GET", "/berth/gpus").json()["devices"]
        return " ".join(d["uuid"] for d in devices if any(lease["user"] == person.name for lease in d["leases"]))
    assert (held_by(ann), held_by(bob)) == (one, two)
