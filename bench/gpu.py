"""The numbers of the GPU allocator: its core alone, its durable grants, and both beside what people use today.

In memory: berth_bench_allocator and berth_bench_scheduler, in rounds, medians. Over HTTP: one GPU asked for and released
by turns, at Berth's façade and at a counter service (Flask and Redis) that answers the same. By command: `berth gpu why`
beside Slurm's `sbatch --test-only`, both asked when one GPU would be there. A peer that cannot be brought up fails its row.
Spawn and reconcile overhead are in `spawn` and `scale`.
"""

import json
import os
import resource
import subprocess
import time

from bench import gpu_peers, peers
from tests.support import hub as hubs
from tests.support import venvs
from tests.support.ports import free_port

ROUNDS = int(os.environ.get("BERTH_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BERTH_BENCH_SECONDS", "3"))
CONNECTIONS = 16
ASKS = 20
RELEASE = venvs.ROOT / "build" / "release"
FLASK, FLASK_SYNCED, SLURM = "Flask + Redis", "Flask + Redis, fsync", "sbatch --test-only"


class Berth:
    """The façade asked past the proxy, as the peers are."""

    def __init__(self, folder):
        port = free_port()
        self.hub = hubs.Berth(folder, {
            "spawner": "local", "hub_bind": f"127.0.0.1:{port}", "profiles": [{"name": "gpu", "gpus": 1}],
            "gpu": {"agent": False, "oversubscription": 64,
                    "devices": [{"uuid": f"GPU-{i}"} for i in range(gpu_peers.GPUS)]}})
        self.port, self.token = port, hubs.OPS_TOKEN
        self.paths = ("/hub/api/berth/allocator/request", "/hub/api/berth/allocator/release")
        try:
            self.hub.start()
            self.hub.api("POST", "/users/ann")
            self.ask()
        except BaseException:
            self.close()
            raise

    def processes(self):
        return [peers.processes(self.hub)[0]]

    def ask(self):
        subprocess.run([self.hub.binary, "gpu", "why", "ann", "--profile", "gpu", "--config", str(self.hub.config_path)],
                       check=True, capture_output=True, timeout=20)

    def close(self):
        self.hub.clean_up()


def load(peer):
    """One round of requests: how many a second, what one costs the server's CPU, how long the slow ones take."""
    before = peers.cpu_seconds(peer.processes())
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", "bench/gpu_requests.lua",
                           f"http://127.0.0.1:{peer.port}", "--", *peer.paths, peer.token],
                          cwd=venvs.ROOT, check=True, capture_output=True, text=True)
    spent = peers.cpu_seconds(peer.processes()) - before
    numbers = json.loads(said.stdout.strip().splitlines()[-1])
    if numbers["errors"] or said.stderr.strip() or not numbers["requests"]:
        raise RuntimeError(f"requests failed: {numbers} {said.stderr[-500:]}")
    return {"per_second": numbers["requests"] / numbers["seconds"], "cpu_us": 1e6 * spent / numbers["requests"],
            "p99_ms": numbers["p99_ms"]}


def asks(peer):
    """One round of questions by command."""
    def cpu():
        mine = resource.getrusage(resource.RUSAGE_CHILDREN)  # of the commands that have ended
        return peers.cpu_seconds(peer.processes()) + mine.ru_utime + mine.ru_stime

    before, began = cpu(), time.monotonic()
    for _ in range(ASKS):
        peer.ask()
    took = time.monotonic() - began
    return {"per_second": ASKS / took, "cpu_ms": 1e3 * (cpu() - before) / ASKS}


def medians(rounds):
    return {key: peers.median([one[key] for one in rounds]) for key in rounds[0]} if rounds else {}


def program(name):
    subprocess.run(["ninja", "-C", str(RELEASE), name], check=True, capture_output=True)
    return str(next(path for path in RELEASE.rglob(name) if path.is_file()))


def flat(numbers, prefix=""):
    for key, value in numbers.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def in_process():
    """The core's own programs, by turns."""
    programs = [program("berth_bench_allocator"), program("berth_bench_scheduler")]
    rounds = []
    for _ in range(ROUNDS):
        numbers = {}
        for one in programs:
            said = subprocess.run([one], check=True, capture_output=True, text=True).stdout
            numbers.update(flat(json.loads(said.strip().splitlines()[-1])))
        rounds.append(numbers)
    return medians(rounds)


# what, unit, key, goal, of it: at least or at most
GOALS = [
    ("decisions in memory, 8 GPUs", "/s", "decisions_per_second", "≥", 1e6),
    ("one decision, 8 GPUs: p99", "µs", "decision_us_p99", "<", 5),
    ("decisions, 64 GPUs × 10 k leases, quotas and fair share", "/s", "decisions.per_second", "≥", 2e5),
    ("one of them: p99", "µs", "decisions.us_p99", "<", 50),
    ("durable grants, 512 starts at once", "/s", "grants_per_second", "≥", 1e4),
    ("one of them, all 512 waiting: p99", "ms", "grant_ms_p99", "", None),
    ("fsync of this disk", "/s", "disk_syncs_per_second", "", None),
    ("queue of 10 k: one release event", "ms", "single.event_ms_median", "<", 2),
    ("the same, mixed sizes", "ms", "mixed.event_ms_median", "<", 2),
    ("queue of 10 k: times of all", "ms", "single.estimates_ms_median", "<", 20),
    ("the same, mixed sizes", "ms", "mixed.estimates_ms_median", "<", 20),
    ("topology, 16 GPUs: slowest choice", "µs", "topology_16_us", "<", 100),
    ("topology, 8 GPUs: slowest choice", "µs", "topology_8_us", "<", 2),
    ("memory of 10 k leases and 10 k waiting, core alone", "MiB", "memory_mib", "<", 64)]


def met(value, sign, goal):
    return None if goal is None else value >= goal if sign == "≥" else value < goal


def core_rows(numbers):
    return [peers.row(what, unit, numbers[key], {}, f"{sign} {goal:,.0f}" if goal is not None else "",
                      met(numbers[key], sign, goal)) for what, unit, key, sign, goal in GOALS]


def http_rows(ours, theirs, missing):
    def row(what, unit, key, better=None):
        beside = {name: numbers[key] for name, numbers in theirs.items()}
        goal, fine = "", None
        if better:
            goal = "better than each" + "".join(f" ({name} is missing)" for name in missing)
            fine = not missing and all(better(ours[key], value) for value in beside.values())
        return peers.row(what, unit, ours[key], beside, goal, fine)

    return [row("request and release over HTTP, durable", "/s", "per_second", lambda here, there: here > there),
            row("one of them: CPU of the server", "µs", "cpu_us", lambda here, there: here < there),
            row(f"one of them, {CONNECTIONS} at a time: p99", "ms", "p99_ms")]


def ask_rows(ours, theirs, missing):
    why = f"faster{' (Slurm is missing)' if missing else ''}"
    beside = {key: {SLURM: theirs[key]} if theirs else {} for key in ours}
    return [peers.row("when would one GPU be there, asked by command", "/s", ours["per_second"], beside["per_second"], why,
                      bool(theirs) and ours["per_second"] > theirs["per_second"]),
            peers.row("one of them: CPU of the command and of who answers it", "ms", ours["cpu_ms"], beside["cpu_ms"])]


def run():
    numbers = in_process()
    try:
        gpu_peers.need_packages()
    except subprocess.CalledProcessError as failure:
        print(f"gpu: Debian's packages of the peers do not come: {failure}", flush=True)
    with peers.workplace() as folder:
        makers = {FLASK: lambda: gpu_peers.CounterService(folder / "flask", False),
                  FLASK_SYNCED: lambda: gpu_peers.CounterService(folder / "synced", True),
                  SLURM: lambda: gpu_peers.Slurm(folder / "slurm")}
        with gpu_peers.brought_up(makers) as (there, missing):
            berth = Berth(folder / "berth")
            everybody = {"berth": berth, **there}
            loads = {name: [] for name in everybody if name != SLURM}
            answers = {name: [] for name in ("berth", SLURM) if name in everybody}
            try:
                for name in loads:
                    load(everybody[name])  # warm
                for _ in range(ROUNDS):
                    for name, rounds in loads.items():
                        rounds.append(load(everybody[name]))
                    for name, rounds in answers.items():
                        rounds.append(asks(everybody[name]))
            finally:
                berth.close()
    http = {name: medians(rounds) for name, rounds in loads.items()}
    asked = {name: medians(rounds) for name, rounds in answers.items()}
    services = [name for name in missing if name != SLURM]
    rows = core_rows(numbers) + http_rows(http["berth"], {n: v for n, v in http.items() if n != "berth"}, services) + \
        ask_rows(asked["berth"], asked.get(SLURM, {}), SLURM in missing)
    return {"rows": rows, "core": numbers, "http": http, "asked": asked, "missing": missing}
