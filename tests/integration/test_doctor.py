"""`berth doctor` on machines that are really broken, one way each."""

import os
import socket
import sqlite3
import subprocess

import pytest

from tests.support.cli import berth_command, berth_json

pytestmark = pytest.mark.berth_only
QUICK = {"spawner": "local", "local": {"command": "/bin/true"}}


def findings(hub, code=0):
    """The worst finding of each check."""
    worst = {}
    for one in berth_json(hub, "doctor", code=code):
        order = ["OK", "NOTE", "WARN", "FAIL"]
        if one["check"] not in worst or order.index(one["verdict"]) > order.index(worst[one["check"]]["verdict"]):
            worst[one["check"]] = one
        assert one["to_do"] or one["verdict"] in ("OK", "NOTE"), f"nothing to do about {one}"
    return worst


def test_a_sound_machine_with_and_without_a_hub(berth):
    hub = berth(QUICK, start=False)
    before = findings(hub)
    assert before["hub"]["verdict"] == "NOTE" and before["bind_url"]["found"].endswith("is free")
    hub.start()
    after = findings(hub)
    for check in ("state_dir", "database", "hub", "bind_url", "local.command"):
        assert after[check]["verdict"] == "OK", after[check]
    assert "0 broken" in berth_command(hub, "doctor").stdout
    assert hub.api("GET", "/users").status_code == 200, "the hub is unharmed"


def test_a_port_that_is_taken(berth):
    hub = berth(QUICK, start=False)
    with socket.create_server(("127.0.0.1", int(hub.url.rsplit(":", 1)[1]))):
        found = findings(hub, code=1)["bind_url"]
    assert found["verdict"] == "FAIL" and "in use by another program" in found["found"]


def test_files_that_are_wrong(berth):
    hub = berth(QUICK)
    hub.stop()
    state = hub.folder / "state"
    state.chmod(0o755)
    assert findings(hub)["state_dir"]["to_do"] == f"chmod 700 {state}"
    state.chmod(0o700)

    database = state / "berth.sqlite"
    kept = database.read_bytes()
    with sqlite3.connect(database) as rows:
        rows.execute("update audit set at = at + 86400000000000")
        rows.execute("insert into audit values (99999, 4102444800000000, 'user:ann', 'x', 'x', 'x', 'ok', '')")
    assert "set it back" in findings(hub, code=1)["clock"]["to_do"]
    with sqlite3.connect(database) as rows:
        rows.execute("insert into schema_version values (99, 'from the future', 0)")
        rows.execute("update settings set value = '9.8.7' where name = 'berth_version'")
    found = findings(hub, code=1)["database"]
    assert "Berth 9.8.7 (schema 99)" in found["found"] and "Start that version" in found["to_do"]
    for rest in state.glob("berth.sqlite*"):
        rest.unlink()
    database.write_bytes(kept[:100] + os.urandom(len(kept) - 100))
    assert "berth restore" in findings(hub, code=1)["database"]["to_do"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_disk_that_is_nearly_full_and_one_that_is_read_only(berth):
    hub = berth(QUICK, start=False)
    state = hub.folder / "state"
    state.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "berth-doctor", state], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        assert findings(hub, code=1)["disk"]["verdict"] == "FAIL"
        subprocess.run(["mount", "-o", "remount,ro", state], check=True)
        found = findings(hub, code=1)["state_dir"]
        assert found["verdict"] == "FAIL" and "Read-only" in found["found"]
    finally:
        subprocess.run(["umount", state], check=True)


def test_a_notebook_program_that_is_not_there(berth):
    hub = berth({"spawner": "local", "local": {"command": "/no/such/jupyterhub-singleuser"}}, start=False)
    found = findings(hub, code=1)["local.command"]
    assert "is not found" in found["found"] and "pip install" in found["to_do"]


def test_an_engine_that_is_not_there_or_silent(berth):
    hub = berth({"spawner": "docker", "docker": {"host": "unix:///no/such/docker.sock"}}, start=False)
    found = findings(hub, code=1)["engine"]
    assert "there is no /no/such/docker.sock" in found["found"] and "systemctl start docker" in found["to_do"]
    dead = hub.folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(dead))
    hub.config["docker"]["host"] = f"unix://{dead}"
    hub.write_config()
    assert "nobody answers" in findings(hub, code=1)["engine"]["found"]


def test_containers_images_and_every_way_to_a_gpu(docker_berth):
    subprocess.run(["docker", "build", "-q", "--network", "none", "-t", "berth-doctor-empty", "-"], check=True, capture_output=True, text=True,
                   input="FROM notebook:latest\nUSER root\nRUN rm -f $(command -v jupyterhub-singleuser)\n")
    try:
        hub = docker_berth({"gpu": {"agent": False, "devices": [{"uuid": "GPU-aaaa"}]},
                            "profiles": [{"name": "good"}, {"name": "bad", "image": "berth-doctor-empty"},
                                         {"name": "none", "image": "berth-no-such-image"}]}, start=False)
        for runs in (False, True):
            if runs:
                hub.start()
            found = findings(hub, code=1)
            assert found["engine"]["verdict"] == "OK"
            assert found["image notebook:latest"]["found"].startswith("jupyterhub-singleuser of JupyterHub ")
            assert found["image berth-doctor-empty"]["found"] == "it has no jupyterhub-singleuser"
            assert "docker pull" in found["image berth-no-such-image"]["to_do"]
            reach = found["containers reach the hub"]
            assert reach["verdict"] == ("OK"), reach
            assert ("stand-in" in reach["found"]) != runs
            assert {"gpu_mode device_requests", "gpu_mode runtime", "gpu_mode devices"} <= set(found)
            assert found["gpu_mode devices"]["verdict"] == "NOTE", "no device node is known"
        left = subprocess.run(["docker", "ps", "-aq", "--filter", "name=berth-doctor-"], capture_output=True, text=True,
                              check=True).stdout
        assert left == "", "its containers are gone"
    finally:
        subprocess.run(["docker", "rmi", "-f", "berth-doctor-empty"], capture_output=True, check=False)
