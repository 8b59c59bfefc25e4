"""What a hub adds to a start over `docker create` + `start` + the image's own boot, beside JupyterHub 6 + DockerSpawner.

Turn by turn: the engine alone (its HTTP API, then connecting until the notebook answers), Berth, JupyterHub; each from
the request to the moment a server answers (the hubs: 201 on POST …/server). The boot of an image varies by more than
20 ms, so next to the notebook image's own program a second one, which answers within a tenth of a second, shows the
difference without that noise.
"""

import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
import time

from bench import peers
from tests.support import hub as hubs

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "10"))
PREFIX = "/user/ann/"
QUICK = ["python3", "-c", (
    "import http.server as h\n"
    "class A(h.BaseHTTPRequestHandler):\n"
    " def do_GET(s):\n"
    "  s.send_response(200); s.send_header('X-JupyterHub-Version','6.1.1'); s.send_header('Content-Length','2')\n"
    "  s.end_headers(); s.wfile.write(b'{}')\n"
    " def log_message(s,*a): pass\n"
    "h.HTTPServer(('',8888),A).serve_forever()")]


class Engine(http.client.HTTPConnection):
    """The Docker Engine's HTTP API over its socket."""

    def __init__(self):
        super().__init__("docker", timeout=60)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None,
                     {"Content-Type": "application/json"} if body is not None else {})
        answer = self.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]}")
        return json.loads(data) if data else {}


class StandInHub(http.server.BaseHTTPRequestHandler):
    """Answers what a single-user server asks at its start, so that the image boots as it does under a hub."""

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"version": "6.1.1"}')

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def stand_in_hub():
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), StandInHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def wait_answer(address, port=8888, path=PREFIX + "api", timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection(address, port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status < 500:
                return
        except OSError:
            time.sleep(0.001)
        finally:
            connection.close()
    raise RuntimeError("the container did not answer")


def raw_start(mark, hub_port, command):
    """Seconds of create + start + boot, by nobody but the engine."""
    engine = Engine()
    gateway = engine.ask("GET", f"/networks/{mark}")["IPAM"]["Config"][0]["Gateway"]
    environment = {"JUPYTERHUB_API_TOKEN": "0" * 32, "JPY_API_TOKEN": "0" * 32, "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann",
                   "JUPYTERHUB_USER": "ann", "JUPYTERHUB_SERVER_NAME": "", "JUPYTERHUB_BASE_URL": "/",
                   "JUPYTERHUB_SERVICE_PREFIX": PREFIX, "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888{PREFIX}",
                   "JUPYTERHUB_API_URL": f"http://{gateway}:{hub_port}/hub/api", "JUPYTERHUB_HOST": "",
                   "JUPYTERHUB_ACTIVITY_URL": f"http://{gateway}:{hub_port}/hub/api/users/ann/activity",
                   "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback", "JUPYTERHUB_DEFAULT_URL": "/lab",
                   "JUPYTERHUB_OAUTH_SCOPES": '["access:servers!user=ann"]',
                   "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!user=ann"]'}
    body = {"Image": peers.IMAGE, "Env": [f"{k}={v}" for k, v in environment.items()],
            "HostConfig": {"NetworkMode": mark, "Binds": [f"{mark}-raw:/home/jovyan"]}}
    if command:
        body["Cmd"] = command
    began = time.monotonic()
    created = engine.ask("POST", f"/containers/create?name={mark}-raw", body)["Id"]
    try:
        engine.ask("POST", f"/containers/{created}/start")
        details = engine.ask("GET", f"/containers/{created}/json")
        wait_answer(details["NetworkSettings"]["Networks"][mark]["IPAddress"])
        return time.monotonic() - began
    finally:
        engine.ask("DELETE", f"/containers/{created}?force=true")


def hub_start(hub):
    """Seconds from POST …/server to its 201."""
    began = time.monotonic()
    answer = hub.api("POST", "/users/ann/server", json={})
    while answer.status_code == 202 and not (hub.server("ann") or {}).get("ready"):
        time.sleep(0.005)
        if time.monotonic() - began > 120:
            raise RuntimeError(f"no server after 120 s\n{hub.log()[-2000:]}")
    took = time.monotonic() - began
    if answer.status_code not in (201, 202):
        raise RuntimeError(f"start: {answer.status_code} {answer.text[:300]}\n{hub.log()[-2000:]}")
    stopped = hub.api("DELETE", "/users/ann/server")
    while stopped.status_code == 202 and hub.server("ann")["pending"]:
        time.sleep(0.05)
    return took


def compare(command, turns):
    """Medians of the engine alone, Berth and JupyterHub, in seconds."""
    marks = [f"bench{os.getpid()}{kind}" for kind in "rbj"]
    stand_in = stand_in_hub()
    subprocess.run(["docker", "network", "create", marks[0]], capture_output=True, check=True)
    with peers.workplace() as folder:
        berth, jupyterhub = peers.berth_docker(folder, marks[1]), peers.jupyterhub_docker(folder, marks[2])
        if command:
            berth.config["profiles"] = [{"name": "quick", "display_name": "quick", "command": command}]
            berth.write_config()
            jupyterhub.given["cmd"] = command
        try:
            for hub in (berth, jupyterhub):
                hub.start()
                hub.api("POST", "/users/ann")
                hub_start(hub)  # warm: image layers in the page cache, volume made
            raw_start(marks[0], stand_in.server_address[1], command)
            raw, ours, theirs = [], [], []
            for _ in range(turns):
                raw.append(raw_start(marks[0], stand_in.server_address[1], command))
                ours.append(hub_start(berth))
                theirs.append(hub_start(jupyterhub))
        finally:
            berth.clean_up()
            jupyterhub.clean_up()
            stand_in.shutdown()
            for mark in marks:
                peers.docker_clean(mark)
    return raw, ours, theirs


def run():
    peers.need_engine()
    rows, numbers = [], {}
    for name, command, what in (("quick", QUICK, "a start, over the engine's own (quick program)"),
                                ("notebook", None, "a start, over the engine's own (notebook image)")):
        raw, ours, theirs = compare(command, TURNS)
        base = peers.median(raw)
        here, there = (peers.median(ours) - base) * 1e3, (peers.median(theirs) - base) * 1e3
        rows.append(peers.row(f"added to {what}", "ms", here, {"DockerSpawner": there, "engine alone": base * 1e3},
                              "≤ 20 ms, ≤ 1/5", here <= 20 and here <= there / 5))
        numbers[name] = {"engine_seconds": raw, "berth_seconds": ours, "jupyterhub_seconds": theirs,
                         "berth_adds_ms": here, "jupyterhub_adds_ms": there}
    return {"rows": rows, **numbers}
