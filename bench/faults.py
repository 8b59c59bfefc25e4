"""The fault matrix in full: a thousand kills, hangs, lies of the engine, full and failing disks, and jumps of the clock,
with people at work; then a walk over engine, rows and proxy. Not part of a run without names: it takes 20 minutes.

BERTH_FAULTS (1000), BERTH_FAULTS_SEED and BERTH_FAULTS_USERS (10) say how many, which, and before how many people.
"""

import os
import sys
import time

from bench import peers
from tests.chaos.engine import why_impossible
from tests.chaos.run import matrix


def say(text):
    print(text[:1000], file=sys.stderr, flush=True)


def run():
    if reason := why_impossible():
        raise RuntimeError(reason)
    peers.need_engine()
    count = int(os.environ.get("BERTH_FAULTS", "1000"))
    seed = int(os.environ.get("BERTH_FAULTS_SEED", str(int(time.time()) % 100000)))
    result = matrix(count, seed, int(os.environ.get("BERTH_FAULTS_USERS", "10")), every=50, say=say, notebooks=True,
                    every_point=True)
    del result["hub_log"], result["evidence"]
    rows = [peers.row(f"fault: {name}", "times", times, {}) for name, times in result["faults"].items()]
    rows.append(peers.row("faults in all", "times", result["count"], {}, f"≥ {count}", result["count"] >= count))
    culls = sum(result["in_culls"].values())
    rows.append(peers.row("faults that hit a cull", "times", culls, {}, "≥ 1", culls > 0))
    rows += [peers.row(f"load: {name.replace('_', ' ')}", "", times, {}) for name, times in result["load"].items()]
    rows += [peers.row(kind, "", times, {}, "0", times == 0) for kind, times in result["result"].items()]
    return {"rows": rows, **result}
