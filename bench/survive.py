"""The hub killed 100 times and the proxy upgraded 20 times under load, with 500 open WebSockets: nobody whose server lives may
notice. Not part of a run without names.

BERTH_SURVIVE_KILLS, BERTH_SURVIVE_UPGRADES and BERTH_SURVIVE_SOCKETS change the numbers.
"""

import os
import pathlib
import shutil
import sys

from bench import peers
from tests.support import hub as hubs
from tests.support.survive import CONFIG, survive


def number(name, default):
    return int(os.environ.get(f"BERTH_SURVIVE_{name}", default))


def run():
    with peers.workplace() as folder:
        binary = pathlib.Path(shutil.copy(hubs.berth_binary(), folder / "berth"))
        hub = hubs.Berth(folder / "b", CONFIG, binary=str(binary))
        try:
            hub.start()
            result = survive(hub, binary, number("KILLS", 100), number("UPGRADES", 20), number("SOCKETS", 500), 10,
                             lambda text: print(text, file=sys.stderr, flush=True))
        finally:
            hub.clean_up()
    rows = [peers.row(what, "", result[key], {}) for what, key in (
        ("hub killed", "kills"), ("proxy upgraded", "upgrades"), ("WebSockets open", "websockets"),
        ("messages echoed", "echoes"), ("requests to servers", "requests"))]
    rows.append(peers.row("WebSockets lost", "", len(result["lost"]), {}, "0", not result["lost"]))
    rows.append(peers.row("requests failed", "", len(result["failed"]), {}, "0", not result["failed"]))
    whole = result["servers_alive"] == result["servers"]
    rows.append(peers.row("servers alive in the end", "", result["servers_alive"], {}, str(result["servers"]), whole))
    return {"rows": rows, **result, "lost": result["lost"][:20], "failed": result["failed"][:20]}
