"""The thinned fault matrix; `bench/run faults` runs ten times as many."""

import os

import pytest

from tests.chaos.run import matrix


@pytest.mark.timeout(420)
def test_hundred_faults_leave_nothing_leaked_doubled_orphaned_dropped_or_stuck(possible):
    seed = int(os.environ.get("BERTH_FAULTS_SEED", "11"))
    done = matrix(count=100, seed=seed, users=8, every=50)
    print({k: v for k, v in done.items() if k not in ("hub_log", "found", "evidence")})
    assert done["found"] == [], f"replay with BERTH_FAULTS_SEED={seed}\n" + "\n\n".join(done["evidence"])
    assert done["count"] >= 100 and len(done["faults"]) >= 30
    assert sum(done["in_culls"].values()) >= 3 and done["load"]["culled"] >= 5, "culls were hit"
    assert done["load"]["started"] > 50 and done["load"]["pings"] > 200, "the load was on"
