"""Berth and real JupyterHub 6 (DockerSpawner, configurable-http-proxy), started alike, and what the kernel knows of them."""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import psutil

from tests.support import hub as hubs
from tests.support import venvs

IMAGE = "notebook:latest"


def row(what, unit, berth, peers, goal="", met=None):
    return {"what": what, "unit": unit, "berth": berth, "peers": peers, "goal": goal, "met": met}


def median(values):
    return statistics.median(values) if values else float("nan")


def need_engine():
    for script in ("tests/engine.sh", "images/notebook/build.sh"):
        subprocess.run([str(venvs.ROOT / script)], check=True, stdout=sys.stderr)


@contextlib.contextmanager
def workplace():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-b-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def docker_names_like(mark, *command):
    return subprocess.run(["docker", *command, "--filter", f"name={mark}"], capture_output=True, text=True,
                          check=False).stdout.split()


def docker_clean(mark):
    if found := docker_names_like(mark, "ps", "-aq"):
        subprocess.run(["docker", "rm", "-f", *found], capture_output=True, check=False)
    if found := docker_names_like(mark, "volume", "ls", "-q"):
        subprocess.run(["docker", "volume", "rm", "-f", *found], capture_output=True, check=False)
    subprocess.run(["docker", "network", "rm", mark], capture_output=True, check=False)


def berth_docker(folder, mark):
    return hubs.Berth(folder / "berth", {
        "spawner": "docker",
        "docker": {"image": IMAGE, "network": mark, "pull": False, "name_template": mark + "-{username}--{servername}",
                   "volumes": [{"source": mark + "-{username}", "target": "/home/jovyan"}]}})


def jupyterhub_docker(folder, mark):
    subprocess.run(["docker", "network", "create", mark], capture_output=True, check=False)
    gateway = subprocess.run(["docker", "network", "inspect", mark, "--format", "{{(index .IPAM.Config 0).Gateway}}"],
                             capture_output=True, text=True, check=True).stdout.strip()
    hub = hubs.JupyterHub(folder / "jupyterhub", spawner="dockerspawner.DockerSpawner", traits={
        "DockerSpawner.image": IMAGE, "DockerSpawner.network_name": mark, "DockerSpawner.use_internal_ip": True,
        "DockerSpawner.remove": True, "DockerSpawner.name_template": mark + "-{username}",
        "DockerSpawner.volumes": {mark + "-{username}": "/home/jovyan"}, "JupyterHub.hub_connect_ip": gateway,
        # The answer waits for the start, so that its time is the start's.
        "JupyterHub.tornado_settings": {"slow_spawn_timeout": 300}})
    # The containers reach the hub at the gateway of their network.
    hub.given["hub_url"] = hub.given["hub_url"].replace("127.0.0.1", "0.0.0.0")
    return hub


def processes(hub):
    """The hub's own processes: it, its proxy, its agent; not the notebooks."""
    root = psutil.Process(hub.process.pid)
    found = [root]
    for child in root.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "singleuser" not in " ".join(child.cmdline()) and "ipykernel" not in " ".join(child.cmdline()):
                found.append(child)
    return found


def cpu_seconds(process_list):
    """User and system time, exact to the nanosecond where the kernel keeps it so (schedstat of every thread)."""
    total = 0.0
    for process in process_list:
        exact = 0
        try:
            for task in os.listdir(f"/proc/{process.pid}/task"):
                exact += int(pathlib.Path(f"/proc/{process.pid}/task/{task}/schedstat").read_text().split()[0])
            total += exact / 1e9
        except (OSError, ValueError, IndexError):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def memory_mib(process_list):
    """Proportional and resident size together, in MiB."""
    pss = rss = 0
    for process in process_list:
        for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1])
            elif line.startswith("Rss:"):
                rss += int(line.split()[1])
    return pss / 1024, rss / 1024
