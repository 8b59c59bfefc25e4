"""Rows and engine brought together again: foreign containers, a database older than the containers, missed events."""

import shutil
import sqlite3
import subprocess
import uuid

from tests.integration.test_docker import Relay, containers
from tests.integration.test_gpus import lease_of
from tests.support.person import wait_until


def own_gpus():
    """Devices that no other test's containers name: foreign use is counted over the whole machine."""
    mark = uuid.uuid4().hex[:8]
    first, second = f"GPU-{mark}-a", f"GPU-{mark}-b"
    return [first, second], {"gpu": {"agent": False, "devices": [{"uuid": first}, {"uuid": second}]},
                             "profiles": [{"name": "gpu", "display_name": "One GPU", "gpus": 1},
                                          {"name": "cpu", "display_name": "No GPU"}]}


def docker(*command):
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=True).stdout.strip()


def external(hub):
    return {device["uuid"]: device["external"] for device in hub.api("GET", "/berth/gpus").json()["devices"]}


def test_foreign_container_with_a_gpu_is_counted_and_left_alone(docker_berth, notebook_image):
    (first, second), config = own_gpus()
    hub = docker_berth({**config, "spawn": {"poll_interval": "1s"}})
    foreign = docker("run", "-d", "--network", "none", "--name", f"{hub.mark}-foreign", "--gpus", f'"device={first}"', "--entrypoint", "sleep",
                     notebook_image, "600")
    wait_until("it is shown", lambda: external(hub) == {first: [f"{hub.mark}-foreign"], second: []}, 20)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    assert lease_of(hub, "ann") == [second], "not the one that somebody uses already"
    bob.started({"profile": "gpu"})
    assert lease_of(hub, "bob") == [first], "better than none"
    ann.stop()
    ann.wait_stopped()
    assert docker("inspect", "-f", "{{.State.Running}}", foreign) == "true"
    docker("rm", "-f", foreign)
    wait_until("it is gone from the board", lambda: external(hub) == {first: [], second: []}, 20)


def test_notebook_younger_than_a_restored_database_is_adopted(docker_berth, folder):
    (first, _), config = own_gpus()
    hub = docker_berth(config)
    ann = hub.person("ann").signed_in()
    wait_until("its network is made", lambda: "backend.ready" in hub.log(), 30)
    assert hub.stop() == 0
    state = hub.folder / "state"
    for file in state.glob("berth.sqlite*"):
        shutil.copy(file, folder / file.name)
    hub.start()
    ann.started({"profile": "gpu"})
    ann.open_lab()
    kernel = ann.kernel()
    kernel.run("remembered = 41")
    hub.kill9()
    for file in state.glob("berth.sqlite*"):
        file.unlink()
    for file in folder.glob("berth.sqlite*"):
        shutil.copy(file, state / file.name)
    hub.start()
    wait_until("the notebook is known again", lambda: (hub.server("ann") or {}).get("ready"), 30)
    assert lease_of(hub, "ann") == [first]
    assert kernel.run("remembered + 1") == "42", "it never noticed"
    ann.session.cookies.clear()
    ann.signed_in().open_lab()
    assert ann.server_api("GET", "api/kernels").json()[0]["id"] == kernel.id, "a new sign-in opens the old notebook"
    ann.stop()
    ann.wait_stopped()
    assert not containers(hub)
    assert lease_of(hub, "ann") == []


def test_what_ended_while_events_were_missed_is_settled_with_its_end(docker_berth, folder):
    _, config = own_gpus()
    relay = Relay(folder / "engine.sock").start()
    hub = docker_berth({**config, "docker": {"host": f"unix://{folder}/engine.sock"}, "spawn": {"poll_interval": "600s"}})
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    relay.stop()
    name, = containers(hub)
    docker("kill", name)
    ended = docker("inspect", "-f", "{{.State.FinishedAt}}", name)
    relay.start()
    ann.wait_stopped(timeout=30)
    hub.stop()
    with sqlite3.connect(hub.folder / "state" / "berth.sqlite") as db:
        released, = db.execute("select strftime('%Y-%m-%dT%H:%M:%S', released_at / 1000000, 'unixepoch') from leases "
                               "where state = 'released'").fetchone()
        open_intervals, = db.execute("select count(*) from usage_intervals where end_at is null").fetchone()
    assert ended.startswith(released), f"ended {ended}, the lease {released}"
    assert open_intervals == 0
    relay.stop()
