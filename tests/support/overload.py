"""Many starts at once, and what people see meanwhile: one way to do it for the test and for the bench."""

import multiprocessing
import threading
import time

import requests

from .hub import OPS_TOKEN
from .venvs import ROOT


def config(at_a_time: int, boot_seconds: float) -> dict:
    return {"spawner": "local", "local": {"command": str(ROOT / "tests" / "stand-ins" / "small-server")},
            "spawn": {"concurrent_starts": at_a_time, "environment": {"BOOT_SECONDS": str(boot_seconds)}}}


def make_users(hub, count: int) -> list[str]:
    names = [f"u{number:04d}" for number in range(count)]
    for begin in range(0, count, 100):
        made = hub.api("POST", "/users", json={"usernames": names[begin:begin + 100]})
        assert made.status_code == 201, made.text
    return names


class Starts:
    """Asks for all the starts at once, each from a thread of its own; `statuses` fills as they are answered."""

    def __init__(self, hub, names):
        self.hub, self.names, self.statuses = hub, names, {}
        self.threads = [threading.Thread(target=self.ask, args=(name,), daemon=True) for name in names]
        for thread in self.threads:
            thread.start()

    def ask(self, name):
        try:
            self.statuses[name] = self.hub.api("POST", f"/users/{name}/server", timeout=120).status_code
        except requests.RequestException as failure:
            self.statuses[name] = f"{type(failure).__name__}"

    def answered(self):
        for thread in self.threads:
            thread.join(180)
        return self.statuses


def all_servers(hub) -> dict:
    """Every active server's record, by user."""
    found, offset = {}, 0
    while True:
        page = hub.api("GET", "/users", params={"limit": 200, "offset": offset, "state": "active"}).json()
        for user in page:
            found.update({user["name"]: server for server in (user.get("servers") or {}).values()})
        if len(page) < 200:
            return found
        offset += 200


class Pages:
    """Opens pages as a visitor, one after the other, until stopped. In a process of its own: beside hundreds of threads
    it would wait for its own interpreter."""

    def __init__(self, hub, paths=("/hub/login", "/hub/health", "/hub/api/users/u0000")):
        self.url, self.paths, self.bad = hub.url, paths, []
        self.over, self.answers = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        session, seconds, bad = requests.Session(), [], []
        session.headers["Authorization"] = f"token {OPS_TOKEN}"
        while not self.over.is_set():
            for path in self.paths:
                began = time.perf_counter()
                answer = session.get(self.url + path, timeout=30, allow_redirects=False)
                seconds.append(time.perf_counter() - began)
                if answer.status_code >= 500:
                    bad.append((path, answer.status_code))
            time.sleep(0.02)
        self.answers.put((seconds, bad))

    def stop(self):
        self.over.set()
        seconds, self.bad = self.answers.get(timeout=60)
        self.process.join(10)
        return sorted(seconds)


def at(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
