"""Time from starting the hub's process to /hub/health answering 200 through its proxy, on a fresh state directory."""

import http.client
import os
import subprocess
import time
from urllib.parse import urlsplit

from bench import peers
from tests.support import hub as hubs

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "5"))


def seconds_to_health(hub):
    address = urlsplit(hub.url)
    with open(hub.log_path, "ab") as log:
        began = time.monotonic()
        hub.process = subprocess.Popen(hub.command(), cwd=hub.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       env=hub.environment(), start_new_session=True)
    while time.monotonic() < began + 60:
        if hub.process.poll() is not None:
            raise RuntimeError(f"the hub ended with {hub.process.returncode}:\n{hub.log()[-2000:]}")
        try:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=2)
            connection.request("GET", "/hub/health")
            if connection.getresponse().status == 200:
                return time.monotonic() - began
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.001)
    raise RuntimeError("no /hub/health within 60 s")


def run():
    ours, theirs = [], []
    for turn in range(TURNS):
        with peers.workplace() as folder:
            for make, into in ((lambda f: hubs.Berth(f / "b", {"spawner": "local"}), ours),
                               (lambda f: hubs.JupyterHub(f / "j"), theirs)):
                hub = make(folder)
                try:
                    into.append(seconds_to_health(hub))
                finally:
                    hub.clean_up()
    berth, jupyterhub = peers.median(ours), peers.median(theirs)
    return {"rows": [peers.row("start to /hub/health", "s", berth, {"JupyterHub 6": jupyterhub}, "≤ 1/20",
                               berth <= jupyterhub / 20)],
            "berth_seconds": ours, "jupyterhub_seconds": theirs, "ratio": berth / jupyterhub}
