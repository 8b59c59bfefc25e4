"""Idle memory of hub and proxy: proportional set size (a page that two processes share is counted once)."""

import time

from bench import peers
from tests.support import hub as hubs


def measure(hub):
    try:
        hub.start()
        # The first pages are in memory, as on a hub that people use.
        person = hub.person("ann").signed_in()
        for _ in range(20):
            person.get("/hub/home")
            hub.api("GET", "/users")
        time.sleep(3)
        running = peers.processes(hub)
        pss, rss = peers.memory_mib(running)
        return {"pss": pss, "rss": rss, "processes": len(running)}
    finally:
        hub.clean_up()


def run():
    with peers.workplace() as folder:
        ours = measure(hubs.Berth(folder / "b", {"spawner": "local"}))
        theirs = measure(hubs.JupyterHub(folder / "j"))
    return {"rows": [peers.row("idle memory of hub and proxy (PSS)", "MiB", ours["pss"],
                               {"JupyterHub 6 + CHP": theirs["pss"]}, "≤ 1/6", ours["pss"] <= theirs["pss"] / 6)],
            "berth": ours, "jupyterhub": theirs, "ratio": ours["pss"] / theirs["pss"]}
