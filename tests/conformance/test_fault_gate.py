"""The fault gate: a network between client, proxy and server that stalls, slices, resets, half-closes and corrupts.

Nothing may hang beyond the proxy's deadlines, no connection may be left behind, and no whole message may reach either
end that is not what the proxy was given. BERTH_GATE says how many exchanges (2,000; bench/run gate: 100,000),
BERTH_GATE_SEED which.
"""

import os

from tests.conformance.conftest import berth_only
from tests.conformance.fault_run import run

pytestmark = berth_only


def test_a_bad_network_costs_requests_and_nothing_else(start):
    count = int(os.environ.get("BERTH_GATE", "2000"))
    result = run(start, count, seed=int(os.environ.get("BERTH_GATE_SEED", "1")))
    print(result)
    assert result["wrong"] == []
    assert result["hung"] == []
    assert result["left_descriptors"] <= 0 and result["left_connections"] == 0, result
    assert result["whole"] > 0.7 * count, result
    assert sum(result["faults"].values()) > 0.02 * count, result
