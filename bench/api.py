"""CPU of the hub per API request: one user, a page of 100 users, creating 1,000 users. Asked past the proxy."""

import http.client
import json
import os
import time
from urllib.parse import urlsplit

from bench import peers
from tests.support import hub as hubs
from tests.support.ports import free_port

USERS = 1000
ROUNDS = 5


class Client:
    """One connection that stays open; the client's own cost does not matter, only the hub's CPU is read."""

    def __init__(self, url):
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)

    def ask(self, method, path, body=None):
        headers = {"Authorization": f"token {hubs.OPS_TOKEN}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, f"/hub/api{path}", json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]}")
        return data


class Subject:
    def __init__(self, hub, hub_url, requests):
        self.hub, self.requests = hub, requests
        hub.start()
        self.process = [peers.processes(hub)[0]]
        self.client = Client(hub_url)
        self.results = {"create": [], "user": [], "page": []}

    def timed(self, kind, count, action):
        before, began = peers.cpu_seconds(self.process), time.monotonic()
        action()
        self.results[kind].append(((peers.cpu_seconds(self.process) - before) / count, time.monotonic() - began))

    def create(self, turn):
        names = [f"user{turn}x{number}" for number in range(USERS // ROUNDS)]
        self.timed("create", 1, lambda: self.client.ask("POST", "/users", {"usernames": names}))

    def read(self):
        count = self.requests
        self.timed("user", count, lambda: [self.client.ask("GET", f"/users/user0x{n % 100}") for n in range(count)])
        assert len(json.loads(self.client.ask("GET", "/users?limit=100&offset=100"))) == 100
        pages = max(10, count // 10)
        self.timed("page", pages, lambda: [self.client.ask("GET", f"/users?limit=100&offset={100 * (n % 5)}")
                                           for n in range(pages)])

    def cpu(self, kind):
        return peers.median([cpu for cpu, _ in self.results[kind]])


def run():
    with peers.workplace() as folder:
        port = free_port()
        berth = hubs.Berth(folder / "b", {"spawner": "local", "hub_bind": f"127.0.0.1:{port}"})
        jupyterhub = hubs.JupyterHub(folder / "j")
        try:
            subjects = [Subject(berth, f"http://127.0.0.1:{port}", int(os.environ.get("BERTH_BENCH_REQUESTS", "3000"))),
                        Subject(jupyterhub, jupyterhub.given["hub_url"], 100)]
            for turn in range(ROUNDS):
                for subject in subjects:
                    subject.create(turn)
            for subject in subjects:
                subject.read()  # warm
                subject.results["user"].clear()
                subject.results["page"].clear()
            for _ in range(ROUNDS):
                for subject in subjects:
                    subject.read()
        finally:
            berth.clean_up()
            jupyterhub.clean_up()
    ours, theirs = subjects
    rows, numbers = [], {}
    for kind, what, unit, factor, goal in (("user", "CPU per GET /users/{name}", "µs", 1e6, 100),
                                           ("page", "CPU per page of 100 users", "µs", 1e6, 100)):
        here, there = ours.cpu(kind) * factor, theirs.cpu(kind) * factor
        rows.append(peers.row(what, unit, here, {"JupyterHub 6": there}, f"≤ 1/{goal}", here <= there / goal))
        numbers[kind] = {"berth": here, "jupyterhub": there, "ratio": here / there}
    created = [sum(cpu for cpu, _ in s.results["create"]) * 1e3 for s in subjects]
    walls = [sum(wall for _, wall in s.results["create"]) for s in subjects]
    rows.append(peers.row(f"CPU of creating {USERS:,} users", "ms", created[0], {"JupyterHub 6": created[1]}, "≤ 1/50",
                          created[0] <= created[1] / 50))
    rows.append(peers.row(f"time of creating {USERS:,} users", "s", walls[0], {"JupyterHub 6": walls[1]}))
    numbers["create"] = {"berth": created[0], "jupyterhub": created[1], "ratio": created[0] / created[1],
                         "berth_wall_seconds": walls[0], "jupyterhub_wall_seconds": walls[1]}
    return {"rows": rows, **numbers}
