"""A month of notebook sessions under each discipline, by the real scheduler with a virtual clock.

Parameters: bench/fairness.json. Demand is counted in hours logged in; so at 1.5 nobody can serve more than what was
asked for, and the rows name that ceiling beside what Berth reached: a goal above it cannot be met, and is not.
"""

import json
import pathlib
import statistics
import subprocess

from bench import peers
from tests.support import venvs

PARAMETERS = pathlib.Path(__file__).with_suffix(".json")
DEMANDS = (1.1, 1.5, 3)
OTHER_SEEDS = range(2, 12)
HOLD, FIRST, BERTH = "hold-until-logout", "first-come-exclusive", "berth"


def replay(program, **settings):
    command = [str(program), str(PARAMETERS), *(f"{key}={value}" for key, value in settings.items())]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {row["discipline"]: row for row in map(json.loads, said.splitlines())}


def compared(title, by):
    """The rows of one replay. Ratios are against holding until logout."""
    hold, first, berth = by[HOLD], by[FIRST], by[BERTH]
    served = berth["served"] / hold["served"]
    ceiling = berth["sessions"] / hold["served"]
    work = berth["work_done_hours"] / hold["work_done_hours"]
    wait = berth["wait_median_hours"] / hold["wait_median_hours"] if hold["wait_median_hours"] else None

    def beside(key, form=lambda value: value):
        return form(berth[key]), {"hold": form(hold[key]), "first come": form(first[key])}

    return [
        peers.row(f"{title}: requests served (of {berth['sessions']}; ceiling {ceiling:.2f}×)", "", *beside("served"),
                  f"≥ 2× hold: {served:.2f}×", served >= 2),
        peers.row(f"{title}: work done", "GPU-h", *beside("work_done_hours"), f"{work:.2f}× hold", None),
        peers.row(f"{title}: median wait", "h", *beside("wait_median_hours"),
                  f"≤ 1/3 of hold: {wait:.2f}" if wait is not None else "", wait is None or wait <= 1 / 3),
        peers.row(f"{title}: p90 wait", "h", *beside("wait_p90_hours"), "", None),
        peers.row(f"{title}: Jain index, users of equal weight", "", *beside("jain"), "≥ 0.9", berth["jain"] >= 0.9),
        peers.row(f"{title}: longest without any GPU while asking (bound {berth['bound_hours']:g} h)", "h",
                  *beside("longest_without_hours"), "nobody past it", berth["past_bound"] == 0),
        peers.row(f"{title}: longest wait of one request", "h", *beside("wait_max_hours"),
                  f"{berth['requests_past_bound']} past the bound", None),
        peers.row(f"{title}: GPUs held", "", *beside("held_share"), "", None),
        peers.row(f"{title}: GPUs at work", "", *beside("busy_share"), "", None)]


def run():
    folder = venvs.ROOT / "build" / "release"
    subprocess.run(["ninja", "-C", str(folder), "berth_bench_fairness"], check=True, capture_output=True)
    program = next(path for path in folder.rglob("berth_bench_fairness") if path.is_file())
    rows, raw, ratios = [], [], []
    for demand in DEMANDS:
        by = replay(program, demand=demand)
        rows += compared(f"demand {demand:g}, seed 1", by)
        raw += by.values()
    for seed in OTHER_SEEDS:
        by = replay(program, seed=seed)
        rows += compared(f"demand 1.5, seed {seed}", by)
        raw += by.values()
        ratios.append(by[BERTH]["served"] / by[HOLD]["served"])
    # How much hangs on the time after which a GPU counts as idle, and on what demand is counted in.
    for title, settings in (("demand 3, idle after 20 min", {"demand": 3, "idle_minutes": 20}),
                            ("work wanted is 1.5× the GPUs (demand 5)", {"demand": 5}),
                            ("the same, idle after 20 min", {"demand": 5, "idle_minutes": 20})):
        by = replay(program, **settings)
        rows += compared(title, by)
        raw += by.values()
    return {"rows": rows, "served_ratio_median_of_seeds": statistics.median(ratios), "replays": raw}
