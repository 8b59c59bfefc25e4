"""`berth backup` of a hub at work, `berth restore` on a machine that has nothing."""

import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess
import threading

import pytest

from tests.support.cli import berth_command, berth_json
from tests.support.person import wait_until

pytestmark = pytest.mark.berth_only
QUICK = {"spawner": "local", "local": {"command": "/bin/true"}}


def fresh_machine(berth, hub, name="fresh"):
    """The same configuration with another, empty state directory."""
    fresh = berth(None, start=False, name=name)
    fresh.config = {**hub.config, "state_dir": str(fresh.folder / "state")}
    fresh.url = hub.url
    fresh.write_config()
    return fresh


def end_whole_machine(hub):
    hub.kill9()
    hub.kill_leftovers()


def test_a_backup_of_a_hub_at_work_is_whole(berth):
    hub = berth(QUICK)
    berth_command(hub, "user", "create", "ann", "--admin")
    token = berth_command(hub, "token", "create", "ann").stdout.strip()
    done = threading.Event()

    def write():
        number = 0
        while not done.is_set():
            hub.api("POST", "/users", json={"usernames": [f"u{number}-{i}" for i in range(20)]})
            number += 1

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        files = [hub.folder / f"backup{number}.sqlite" for number in range(5)]
        counts = [berth_json(hub, "backup", str(file))["users"] for file in files]
    finally:
        done.set()
        writer.join(30)
    assert counts == sorted(counts) and counts[-1] > counts[0], "taken while users were being made"
    for file, count in zip(files, counts):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with sqlite3.connect(file) as copy:
            assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
            names = [name for (name,) in copy.execute("select name from users where name like 'u%'")]
        assert len(names) % 20 == 0 and len(names) < count, "whole transactions"
    assert not list(hub.folder.glob("*.part*")), "nothing half-made is left"

    end_whole_machine(hub)
    fresh = fresh_machine(berth, hub)
    said = berth_command(fresh, "restore", str(files[-1])).stdout
    assert f"{counts[-1]} users" in said
    fresh.start()
    assert fresh.api("GET", "/user", token).json()["name"] == "ann"
    assert len(berth_json(fresh, "user", "list")) == counts[-1]
    assert stat.S_IMODE((fresh.folder / "state" / "berth.sqlite").stat().st_mode) == 0o600


def test_refusals(berth):
    hub = berth(QUICK)
    file = hub.folder / "b.sqlite"
    berth_command(hub, "backup", str(file))
    assert "exists already and is not overwritten" in berth_command(hub, "backup", str(file), code=1).stderr
    assert "Cannot write" in berth_command(hub, "backup", "/no/such/folder/b.sqlite", code=1).stderr
    assert f"process {hub.process.pid}" in berth_command(hub, "restore", str(file), code=1).stderr
    hub.stop()
    refused = berth_command(hub, "restore", str(file), code=1).stderr
    assert "exists already and is not overwritten. Move berth.sqlite* away" in refused

    fresh = fresh_machine(berth, hub)
    garbage = hub.folder / "garbage"
    garbage.write_bytes(os.urandom(20_000))
    assert "is no database of Berth" in berth_command(fresh, "restore", str(garbage), code=1).stderr
    half = hub.folder / "half"
    half.write_bytes(file.read_bytes()[:file.stat().st_size // 2])
    assert "is no database of Berth" in berth_command(fresh, "restore", str(half), code=1).stderr
    newer = pathlib.Path(shutil.copy(file, hub.folder / "newer"))
    with sqlite3.connect(newer) as database:
        database.execute("insert into schema_version values (99, 'from the future', 0)")
        database.execute("update settings set value = '9.8.7' where name = 'berth_version'")
    assert "written by Berth 9.8.7 (schema 99)" in berth_command(fresh, "restore", str(newer), code=1).stderr
    assert not (fresh.folder / "state" / "berth.sqlite").exists()
    assert [p.name for p in (fresh.folder / "state").iterdir()] == ["berth.lock"], "refusals leave nothing"
    berth_command(fresh, "restore", str(file))
    fresh.start()


def test_a_fresh_machine_adopts_what_runs_and_settles_what_is_gone(docker_berth, berth):
    hub = docker_berth({"gpu": {"agent": False}})
    ann, bob = (hub.person(name).signed_in() for name in ("ann", "bob"))
    for person in (ann, bob):
        person.started({})
    ann.open_lab()
    ann.kernel().run("remembered = 41")
    kernel_id = ann.server_api("GET", "api/kernels").json()[0]["id"]
    file = hub.folder / "b.sqlite"
    assert berth_json(hub, "backup", str(file))["running_servers"] == 2
    end_whole_machine(hub)
    subprocess.run(["docker", "rm", "-f", f"{hub.mark}-bob"], check=True, capture_output=True)

    fresh = fresh_machine(berth, hub)
    berth_command(fresh, "restore", str(file))
    fresh.start()
    wait_until("what is there is adopted", lambda: (fresh.server("ann") or {}).get("ready"), 60)
    wait_until("what is gone is settled", lambda: (fresh.server("bob") or {}).get("stopped"), 60)
    assert ann.open_lab().status_code == 200, "the old sign-in and the old server"
    assert ann.server_api("GET", "api/kernels").json()[0]["id"] == kernel_id
    bob.started({})
    for person in (ann, bob):
        person.stop()
        person.wait_stopped()
