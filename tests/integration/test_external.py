"""GPUs that processes use without Berth: shown with who it is, avoided, left alone; a server's own are not among them."""

import getpass
import os
import subprocess

import pytest

from tests.integration.test_gpus import lease_of
from tests.support import venvs
from tests.support.cli import berth_command
from tests.support.person import wait_until

LIBRARY = venvs.ROOT / "build" / "release" / "stand-ins" / "libnvidia-ml.so.1"
CONFIG = {"gpu": {"agent": True, "nvml_library": str(LIBRARY), "poll_interval": "1s"},
          "profiles": [{"name": "gpu", "gpus": 1}]}


@pytest.fixture
def gpus(folder, monkeypatch):
    """gpus(a=[pid], b=[]) is what the driver says from now on."""
    if not LIBRARY.exists():
        pytest.skip("the stand-in NVML library is not built (target standin_nvml)")
    monkeypatch.setenv("BERTH_NVML_MODEL", str(folder / "gpus"))

    def show(**processes):
        lines = []
        for name, pids in processes.items():
            lines += [f"gpu\nuuid GPU-{name}", *(f"process {pid} 100" for pid in pids)]
        (folder / "gpus.new").write_text("\n".join(lines) + "\n")
        os.replace(folder / "gpus.new", folder / "gpus")
    return show


@pytest.fixture
def outsider():
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def external(hub):
    return {device["uuid"]: device["external"] for device in hub.api("GET", "/berth/gpus").json()["devices"]}


def shown_and_avoided(hub, gpus, outsider, own_pid):
    """Ann's server has GPU-a and computes there; somebody beside Berth is on GPU-b; GPU-c is free."""
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    assert lease_of(hub, "ann") == ["GPU-a"]
    ann.open_lab()
    own = own_pid(ann)
    gpus(a=own, b=[outsider.pid], c=[])
    said = f"sleep, process {outsider.pid} of {getpass.getuser()}"
    wait_until("it is shown", lambda: external(hub) == {"GPU-a": [], "GPU-b": [said], "GPU-c": []}, 20)
    assert f"outside: {said}" in berth_command(hub, "gpu", "list").stdout
    bob.started({"profile": "gpu"})
    assert lease_of(hub, "bob") == ["GPU-c"], "not the one that somebody uses already"
    seen_by_bob = {device["uuid"]: device["external"] for device in bob.hub_api("GET", "/berth/gpus").json()["devices"]}
    assert seen_by_bob["GPU-b"] == [None], "who it is, is for administrators"
    assert outsider.poll() is None, "it is left alone"
    gpus(a=own, b=[], c=[])
    wait_until("it is gone from the board", lambda: not any(external(hub).values()), 20)


def test_beside_local_servers(local_berth, gpus, outsider):
    gpus(a=[], b=[], c=[])
    hub = local_berth(CONFIG)
    wait_until("the GPUs are seen", lambda: len(external(hub)) == 3, 30)

    def own_pid(ann):
        kernel = ann.kernel()
        child = "import os, subprocess; print(os.getpid(), subprocess.Popen(['env', '-i', '/bin/sleep', '60'], start_new_session=True).pid)"
        return [int(pid) for pid in kernel.run(child).split()]
    shown_and_avoided(hub, gpus, outsider, own_pid)


def test_beside_containers(docker_berth, gpus, outsider):
    gpus(a=[], b=[], c=[])
    hub = docker_berth(CONFIG)
    wait_until("the GPUs are seen", lambda: len(external(hub)) == 3, 30)

    def own_pid(_):
        found = subprocess.run(["docker", "ps", "-q", "--filter", f"name={hub.mark}-ann"], capture_output=True,
                               text=True, check=True).stdout.split()
        top = subprocess.run(["docker", "top", found[0], "-eo", "pid"], capture_output=True, text=True, check=True)
        return [int(pid) for pid in top.stdout.split()[1:]][-2:]
    shown_and_avoided(hub, gpus, outsider, own_pid)
