"""The hub dies, notebooks do not: kill -9, an orderly stop, and a proxy that dies."""

import signal
import time

import psutil
import pytest

from tests.integration.test_gpus import GPUS, lease_of
from tests.support.person import wait_until


def two_at_work(hub):
    people = [hub.person(name).signed_in() for name in ("ann", "bob")]
    for person in people:
        person.started({"profile": "gpu"})
        person.open_lab()
    kernels = [person.kernel() for person in people]
    for number, kernel in enumerate(kernels):
        kernel.run(f"remembered = {number + 40}")
    return people, kernels


def check_adopted(hub, people, kernels, leases):
    for number, (person, kernel) in enumerate(zip(people, kernels)):
        wait_until(f"{person.name}'s server is adopted", lambda p=person: (hub.server(p.name) or {}).get("ready"), 30)
        assert kernel.run("remembered + 1") == str(number + 41), "the WebSocket that was open goes on"
        assert person.server_api("GET", "api/kernels").json()[0]["id"] == kernel.id, "its old cookie still opens it"
        assert person.hub_api("GET", f"/users/{person.name}").status_code == 200, "the session outlives the hub"
        assert person.open_lab().status_code == 200
        assert lease_of(hub, person.name) == leases[number]
    people[0].stop()
    people[0].wait_stopped()
    wait_until("the lease of the stopped server is ended", lambda: lease_of(hub, people[0].name) == [], 30)
    assert lease_of(hub, people[1].name) == leases[1]


def kill_and_adopt(hub, how):
    people, kernels = two_at_work(hub)
    leases = [lease_of(hub, person.name) for person in people]
    assert sorted(sum(leases, [])) == ["GPU-aaaa", "GPU-bbbb"]
    token = people[0].hub_api("POST", "/users/ann/tokens", json={}).json()["token"]
    if how == "kill -9":
        hub.kill9()
        for number, kernel in enumerate(kernels):
            assert kernel.run("remembered") == str(number + 40), "the kernel answers while no hub runs"
    else:
        assert hub.stop() == 0
    time.sleep(0.5)
    hub.start()
    if how == "kill -9":
        check_adopted(hub, people, kernels, leases)
    else:
        for number, person in enumerate(people):
            person.wait_ready()
            assert lease_of(hub, person.name) == leases[number]
            assert person.open_lab().status_code == 200
    assert hub.api("GET", "/user", token).json()["name"] == "ann"


@pytest.mark.parametrize("how", ["kill -9", "stop"])
def test_local_servers_outlive_the_hub(local_berth, how):
    kill_and_adopt(local_berth(GPUS), how)


@pytest.mark.parametrize("how", ["kill -9", "stop"])
def test_containers_outlive_the_hub(docker_berth, how):
    kill_and_adopt(docker_berth(GPUS), how)


def test_proxy_that_dies_is_started_again_with_its_routes(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "cpu"})
    ann.open_lab()
    kernel = ann.kernel()
    proxies = [p for p in psutil.Process(hub.process.pid).children(recursive=True) if "proxy" in p.cmdline()[1:2]]
    assert len(proxies) == 1, [p.cmdline() for p in proxies]
    proxies[0].send_signal(signal.SIGKILL)

    def answers():
        try:
            return ann.server_api("GET", "api/kernels").json()[0]["id"] == kernel.id
        except Exception:  # noqa: BLE001 - refused connections while it is away
            return False
    wait_until("the proxy is back with its routes", answers, 20)


def is_dead(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_proxy_killed_again_and_again_is_back_each_time(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "cpu"})
    ann.open_lab()

    def answers():
        try:
            return ann.server_api("GET", "api/status").status_code == 200
        except Exception:  # noqa: BLE001 - refused connections while it is away
            return False
    took = []
    for _ in range(7):
        killed = time.monotonic()
        proxies = [p for p in psutil.Process(hub.process.pid).children(recursive=True) if "proxy" in p.cmdline()[1:2]]
        assert len(proxies) == 1, [p.cmdline() for p in proxies]
        proxies[0].send_signal(signal.SIGKILL)
        wait_until("it is dead", lambda: is_dead(proxies[0]), 5, 0.002)
        wait_until("the proxy is back", answers, 30, 0.02)
        took.append(round(time.monotonic() - killed, 2))
        time.sleep(max(0.0, 2 - (time.monotonic() - killed)))
    print("back after", took)
    assert max(took) < 1.5, took


def test_server_that_dies_is_seen(local_berth):
    hub = local_berth({**GPUS, "spawn": {"poll_interval": "1s"}})
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    ann.open_lab()
    pid = int(ann.kernel().run("import os; print(os.getppid())"))
    psutil.Process(pid).send_signal(signal.SIGKILL)
    ann.wait_stopped(timeout=30)
    wait_until("its lease is ended", lambda: lease_of(hub, "ann") == [], 30)


def test_container_that_dies_is_seen_at_once(docker_berth):
    import subprocess
    hub = docker_berth({**GPUS, "spawn": {"poll_interval": "600s"}})
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    names = subprocess.run(["docker", "ps", "-q", "--filter", f"name={hub.mark}"], capture_output=True, text=True,
                           check=True).stdout.split()
    subprocess.run(["docker", "kill", *names], capture_output=True, check=True)
    ann.wait_stopped(timeout=15)
    wait_until("its lease is ended", lambda: lease_of(hub, "ann") == [], 30)
