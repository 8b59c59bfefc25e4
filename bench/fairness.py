"""A month of notebook sessions under each discipline, by the real scheduler with a virtual clock.

Parameters: bench/fairness.json. First, demand counted as people ask for it: hours logged in, against the GPU-hours there
are. At 1.5 nobody can serve more than what was asked for, and each row names that ceiling: a goal above it cannot be met.
Then demand counted as hours really worked with a GPU, of which a session has three tenths: there the GPUs are the limit.
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
    rows, raw, ratios = [], [], {}

    def measure(title, **settings):
        by = replay(program, **settings)
        rows.extend(compared(title, by))
        raw.extend(by.values())
        return by[BERTH]["served"] / by[HOLD]["served"]

    working = 1 - json.loads(PARAMETERS.read_text())["idle_share"]
    for what, part in (("demand", 1), ("work wanted", working)):
        for demand in DEMANDS:
            measure(f"{what} {demand:g}×, seed 1", demand=demand / part)
        ratios[what] = [measure(f"{what} 1.5×, seed {seed}", demand=1.5 / part, seed=seed) for seed in OTHER_SEEDS]
    # How much hangs on the time after which a GPU counts as unused.
    for minutes in (20, 240):
        measure(f"demand 3×, unused after {minutes} min at most", demand=3, reclaim_idle_minutes=minutes)
    return {"rows": rows, "replays": raw,
            "served_ratio_median_of_seeds": {what: statistics.median(all_of) for what, all_of in ratios.items()}}
