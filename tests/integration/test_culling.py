"""Servers that nobody works with are ended after a warning, by the hub itself and by the real idle culler."""

import json
import os
import sqlite3
import subprocess
import time
import uuid

import pytest

from tests.support import venvs
from tests.support.person import Person, page_text, wait_until

# Servers report every second here, so that what they say of their own work is what counts.
OFTEN = {"spawn": {"environment": {"JUPYTERHUB_ACTIVITY_INTERVAL": "1"}}}


def limits(**cull):
    return {**OFTEN, "cull": {"interval": "1s", "grace": "0s", "warning": "0s", **cull}}


def berth_of(hub, user, server=""):
    return ((hub.server(user, server) or {}).get("berth")) or {}


def gone(hub, user, server=""):
    model = hub.server(user, server)
    return model is None or model["stopped"]


def audit(hub, principal):
    with sqlite3.connect(f"file:{hub.folder}/state/berth.sqlite?mode=ro", uri=True) as database:
        return database.execute("select action, target, permit, detail from audit where principal = ?",
                                [principal]).fetchall()


def silent_cell(person: Person, seconds: int, server: str = "") -> None:
    """A cell that prints nothing for so long, and nobody connected to it."""
    kernel = person.kernel(server)
    kernel.socket.send(json.dumps({
        "header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "",
                   "session": kernel.session_id, "version": "5.3"},
        "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": f"import time; time.sleep({seconds})", "silent": False, "store_history": True,
                    "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}}))
    wait_until("the kernel is busy", lambda: person.server_api(
        "GET", "api/kernels", server=server).json()[0]["execution_state"] == "busy", 30)
    kernel.close()


def test_idle_is_warned_stopped_and_told(local_berth):
    hub = local_berth(limits(idle="4s", warning="3s", max_extensions=1, extension="6s"))
    ann = hub.person("ann").signed_in()
    ann.started()
    ending = wait_until("ann is warned", lambda: berth_of(hub, "ann").get("ending"), 30)
    assert ending["because"] == "idle" and ending["extensions_left"] == 1 and ending["seconds_left"] <= 3

    kept = ann.hub_api("POST", "/berth/users/ann/servers//keep_running")
    assert kept.status_code == 200 and kept.json()["kept_until"], kept.text
    told = time.monotonic()
    assert "ending" not in berth_of(hub, "ann")
    assert ann.hub_api("POST", "/berth/users/ann/servers//keep_running").status_code == 409, "no end is near now"
    ending = wait_until("ann is warned again", lambda: berth_of(hub, "ann").get("ending"), 30)
    assert ending["extensions_left"] == 0
    refused = ann.hub_api("POST", "/berth/users/ann/servers//keep_running")
    assert refused.status_code == 409 and "Save your work" in refused.json()["message"]

    wait_until("ann's server is stopped", lambda: gone(hub, "ann"), 30)
    assert time.monotonic() - told >= 5.5, "what was told is kept"
    assert "without activity" in berth_of(hub, "ann")["stopped_because"]
    page = ann.get("/user/ann/lab")
    assert page.status_code == 424 and "Stopped after 4 s without activity" in page_text(page.text)
    assert ("server.stop", "ann/", "servers", "idle") in audit(hub, "system:culler")
    assert any(row[0] == "server.keep_running" for row in audit(hub, "user:ann"))
    ann.started()
    assert "stopped_because" not in berth_of(hub, "ann")


def test_only_who_may_hold_the_end_off(local_berth):
    hub = local_berth(limits(idle="3s", warning="60s"))
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started()
    wait_until("ann is warned", lambda: berth_of(hub, "ann").get("ending"), 30)
    assert bob.hub_api("GET", "/berth/users/ann/servers//ending").status_code == 404
    assert bob.hub_api("POST", "/berth/users/ann/servers//keep_running").status_code == 404
    forged = ann.session.post(hub.url + "/hub/api/berth/users/ann/servers//keep_running", timeout=10)
    assert forged.status_code == 403, "a page without our XSRF token cannot press the button"
    token = ann.hub_api("POST", "/users/ann/tokens", json={"scopes": ["read:users:name!user"]}).json()["token"]
    assert hub.api("POST", "/berth/users/ann/servers//keep_running", token).status_code in (403, 404)
    assert berth_of(hub, "ann").get("ending"), "nobody has held it off"


def test_a_busy_kernel_is_work_though_it_is_silent(local_berth):
    hub = local_berth(limits(idle="4s"))
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    began = time.monotonic()
    silent_cell(ann, 14)
    wait_until("the idle server is stopped", lambda: gone(hub, "ann"), 60)
    assert time.monotonic() - began >= 14, "it was ended in the middle of a computation"


def test_a_terminal_in_use_is_work(local_berth):
    hub = local_berth(limits(idle="4s"))
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    name = ann.server_api("POST", "api/terminals").json()["name"]
    socket = ann.websocket(f"terminals/websocket/{name}")
    began = time.monotonic()
    socket.send(json.dumps(["stdin", "for i in 1 2 3 4 5 6 7 8 9 10; do echo at work; sleep 1; done\r"]))
    while time.monotonic() - began < 9:
        socket.recv()
    assert not gone(hub, "ann")
    socket.close()
    wait_until("the idle server is stopped", lambda: gone(hub, "ann"), 60)


def test_a_busy_gpu_is_work(local_berth, monkeypatch, folder):
    library = venvs.ROOT / "build" / "release" / "stand-ins" / "libnvidia-ml.so.1"
    if not library.exists():
        pytest.skip("the stand-in NVML library is not built (target standin_nvml)")
    model = folder / "gpus"

    def gpu(utilisation):
        fresh = folder / "gpus.new"
        fresh.write_text(f"gpu\nuuid GPU-one\nmemory_mib 1000\nutilisation {utilisation}\n")
        os.replace(fresh, model)
    gpu(90)
    monkeypatch.setenv("BERTH_NVML_MODEL", str(model))
    hub = local_berth({**limits(idle="4s"),
                       "gpu": {"agent": True, "nvml_library": str(library), "poll_interval": "1s"},
                       "profiles": [{"name": "gpu", "gpus": 1}]})
    wait_until("the GPU is seen", lambda: hub.api("GET", "/berth/gpus").json()["devices"], 30)
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    time.sleep(9)
    assert not gone(hub, "ann"), "its GPU computes"
    gpu(0)
    wait_until("the idle server is stopped", lambda: gone(hub, "ann"), 60)
    wait_until("its GPU is free", lambda: not hub.api("GET", "/berth/gpus").json()["devices"][0]["leases"], 30)


def test_profile_and_group_have_limits_of_their_own_named_servers_too(local_berth):
    hub = local_berth({**limits(rules=[
        {"profile": "short", "max_age": "6s"}, {"group": "staff", "max_age": "1h"}]),
        "profiles": [{"name": "long"}, {"name": "short"}], "groups": {"staff": ["bob"]}})
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "long"})
    assert ann.start({"profile": "short"}, server="lab").status_code in (201, 202)
    ann.wait_ready("lab")
    bob.started({"profile": "short"})
    wait_until("the old server is stopped", lambda: gone(hub, "ann", "lab"), 30)
    assert "had run for 6 s" in berth_of(hub, "ann", "lab")["stopped_because"]
    assert not gone(hub, "ann") and not gone(hub, "bob")
    assert ("server.stop", "ann/lab", "servers", "max_age") in audit(hub, "system:culler")


def test_a_killed_hub_comes_back_and_ends_nobody(local_berth):
    hub = local_berth(OFTEN)
    people = [hub.person(name).signed_in() for name in ("ann", "bob")]
    for person in people:
        person.started()
    hub.kill9()
    hub.config.update(limits(idle="4s", grace="8s"))
    hub.write_config()
    time.sleep(5)
    hub.start()
    back = time.monotonic()
    while time.monotonic() - back < 6:
        assert not gone(hub, "ann") and not gone(hub, "bob"), "the hub was away, not its people"
        time.sleep(0.5)
    wait_until("the idle are stopped in the end", lambda: gone(hub, "ann") and gone(hub, "bob"), 60)


# --- the real idle culler (hub-protocol §12.5) ---

CULLER_TOKEN = "c" * 32
CULLER_SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]


def run_culler(hub, version, *arguments):
    """The unmodified command, as a service started by hand runs it."""
    command = [str(venvs.idle_culler(version)), "-m", "jupyterhub_idle_culler", f"--url={hub.url}/hub/api",
               "--cull-every=1", *arguments]
    return subprocess.Popen(command, env={**os.environ, "JUPYTERHUB_API_TOKEN": CULLER_TOKEN},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("version", ["1.4.0", "2.0.0"])
def test_the_real_idle_culler_works(local_berth, version):
    services = [{"name": "ops", "api_token": "0123456789abcdef0123456789abcdef",
                 "scopes": ["admin:users", "admin:servers", "list:users"]},
                {"name": "idle-culler", "api_token": CULLER_TOKEN, "scopes": CULLER_SCOPES + ["delete:users"]}]
    hub = local_berth({**OFTEN, "services": services})
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started()
    ann.started(server="lab")
    bob.started()
    bob.open_lab()
    kernel = bob.kernel()
    culler = run_culler(hub, version, "--timeout=6", "--remove-named-servers=true")
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (gone(hub, "ann") and hub.server("ann", "lab") is None):
            assert kernel.run("6*7") == "42"
            time.sleep(0.3)
            assert culler.poll() is None, culler.stdout.read()
        assert gone(hub, "ann") and hub.server("ann", "lab") is None
        assert not gone(hub, "bob"), "bob is at work"
    finally:
        culler.terminate()
        said = culler.communicate(timeout=20)[0]
    assert "Traceback" not in said and "403" not in said, said
    rows = [row for row in audit(hub, "service:idle-culler") if row[0] == "server.stop"]
    assert {row[1] for row in rows} == {"ann/", "ann/lab"}

    culler = run_culler(hub, version, "--timeout=2", "--max-age=3600", "--cull-users=true")
    try:
        wait_until("the user without a server is removed", lambda: hub.api("GET", "/users/ann").status_code == 404, 40)
    finally:
        culler.terminate()
        culler.communicate(timeout=20)
