"""500 starts asked for at once: they take turns, nobody gets a 5xx, and pages stay quick meanwhile."""

import os
import time

from bench import peers
from tests.support import hub as hubs
from tests.support import overload
from tests.support.person import wait_until

COUNT = int(os.environ.get("BERTH_BENCH_STARTS", "500"))
AT_A_TIME = 4


def run():
    with peers.workplace() as folder:
        hub = hubs.Berth(folder / "b", overload.config(AT_A_TIME, 0.1))
        try:
            hub.start()
            names = overload.make_users(hub, COUNT)
            pages = overload.Pages(hub)
            began = time.monotonic()
            starts = overload.Starts(hub, names)
            statuses = list(starts.answered().values())
            wait_until("none waits or starts", lambda: all(
                s["ready"] for s in overload.all_servers(hub).values()), 600, pause=1)
            running = len(overload.all_servers(hub))
            took = time.monotonic() - began
            seconds = pages.stop()
        finally:
            hub.clean_up()
    bad = [status for status in statuses if not isinstance(status, int) or status >= 500] + pages.bad
    p99 = 1e3 * overload.at(seconds, 0.99)
    return {"rows": [
        peers.row(f"{COUNT} starts at once, {AT_A_TIME} at a time: answers that are errors", "", len(bad), {}, "0", not bad),
        peers.row(f"of {COUNT} run in the end", "", running, {}, str(COUNT), running == COUNT),
        peers.row("pages meanwhile: p99", "ms", p99, {}, "< 100", p99 < 100),
        peers.row("pages meanwhile: slowest", "ms", 1e3 * seconds[-1], {}, "< 100", seconds[-1] < 0.1),
        peers.row("until all of them run", "s", took, {}, "", None)],
        "statuses": {str(s): statuses.count(s) for s in set(statuses)}, "pages": len(seconds), "bad": bad[:10]}
