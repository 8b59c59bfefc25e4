"""Allocator decisions in memory and durable grants, as berth_bench_allocator measures them."""

import json
import subprocess

from bench import peers
from tests.support import venvs


def run():
    folder = venvs.ROOT / "build" / "release"
    subprocess.run(["ninja", "-C", str(folder), "berth_bench_allocator"], check=True, capture_output=True)
    program = next(path for path in folder.rglob("berth_bench_allocator") if path.is_file())
    said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    numbers = json.loads(said.strip().splitlines()[-1])
    goals = {"decisions_per_second": ("allocator decisions, 8 GPUs", 1e6, "≥ 1 M/s"),
             "grants_per_second": ("durable grants", 5e3, "≥ 5 k/s")}
    rows = [peers.row(what, "/s", numbers[key], {}, goal, numbers[key] >= least)
            for key, (what, least, goal) in goals.items() if key in numbers]
    return {"rows": rows, **numbers}
