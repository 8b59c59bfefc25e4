"""The fault gate in full: exchanges through a network that stalls, slices, resets, half-closes and corrupts, before and
behind the proxy (tests/conformance/fault_gate.py). Not part of a run without names: it takes ten minutes.

BERTH_GATE (100000) and BERTH_GATE_SEED (1) say how many, and which.
"""

import os

from bench import peers
from tests.conformance.fault_run import run as run_gate
from tests.conformance.proxy_peers import Proxy


def run():
    proxies = []

    def start(*flags):
        proxies.append(Proxy(*flags))
        return proxies[0]
    try:
        result = run_gate(start, int(os.environ.get("BERTH_GATE", "100000")), int(os.environ.get("BERTH_GATE_SEED", "1")))
    finally:
        for proxy in proxies:
            proxy.close()
    rows = [peers.row("exchanges through the gate", "times", result["count"], {})]
    rows += [peers.row(f"gate: {kind}", "times", times, {}) for kind, times in sorted(result["faults"].items())]
    rows += [peers.row(f"exchanges that ended: {how}", "times", times, {}) for how, times in sorted(result["ends"].items())]
    for what, value in (("hung beyond the deadline", len(result["hung"])), ("wrong bytes delivered", len(result["wrong"])),
                        ("descriptors left in the proxy", max(0, result["left_descriptors"])),
                        ("connections left in the proxy", result["left_connections"])):
        rows.append(peers.row(what, "", value, {}, "0", value == 0))
    return {"rows": rows, **result}
