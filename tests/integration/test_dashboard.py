"""The GPU dashboard against a real Prometheus: it takes the hub's metrics, and every panel's query has an answer there."""

import json
import shutil
import subprocess

import pytest
import requests

from tests.integration.test_gpus import GPUS
from tests.support import venvs
from tests.support.person import wait_until
from tests.support.ports import free_port

DASHBOARD = venvs.ROOT / "deploy" / "grafana" / "gpus.json"


@pytest.fixture
def prometheus(folder):
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    running = []

    def start(target):
        port = free_port()
        config = folder / "prometheus.json"  # YAML reads JSON
        config.write_text(json.dumps({"scrape_configs": [{
            "job_name": "berth", "scrape_interval": "1s", "metrics_path": "/hub/metrics",
            "static_configs": [{"targets": [target]}]}]}))
        running.append(subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}"
    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def answer(prometheus, query):
    got = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10)
    assert got.status_code == 200, f"{query}: {got.text}"
    return got.json()["data"]["result"]


def test_every_panel_has_an_answer(local_berth, prometheus):
    hub = local_berth({**GPUS, "authenticate_metrics": False})
    server = prometheus(hub.url.split("//")[1])
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu", "gpus": 2})
    hub.api("POST", "/users/bob/server", json={"profile": "gpu"})
    wait_until("the queue is scraped", lambda: [r for r in answer(server, "berth_gpu_queue_length") if r["value"][1] == "1"], 40, 0.5)
    assert float(answer(server, "berth_gpu_allocated_ratio")[0]["value"][1]) == 1
    ann.stop()
    bob.wait_ready()
    wait_until("one of two is leased", lambda: answer(server, "berth_gpu_allocated_ratio")[0]["value"][1] == "0.5", 40, 0.5)
    no_data = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            if not answer(server, target["expr"]):
                no_data.add(target["expr"])
    # Without NVML there are no readings; everything else is there.
    assert all("utilization" in query or "memory_used" in query for query in no_data), no_data
