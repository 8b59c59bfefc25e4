"""One run of the fault matrix: faults with load on, and after each round a walk that must find nothing."""

import pathlib
import tempfile
import time

from tests.chaos.faults import Faults
from tests.chaos.sweep import sweep
from tests.chaos.walker import KINDS
from tests.chaos.world import World
from tests.support.person import wait_until


def hub_answers(world) -> bool:
    try:
        return world.hub.api("GET", "/", timeout=5).status_code == 200
    except Exception:  # noqa: BLE001 - it is being started again
        return False


def matrix(count: int, seed: int, users: int, every: int, say=print, notebooks: bool = False,
           every_point: bool = False) -> dict:
    """Runs at least `count` faults of this seed; {"faults": {name: count}, "found": [(kind, what)], ...}.

    every_point: the first of them are a sweep over every point of a start, a stop, a cull and an adoption.
    """
    began = time.monotonic()
    world = World(pathlib.Path(tempfile.mkdtemp(prefix="berth-c-")), seed, users, say, notebooks)
    faults = world.faults = Faults(world, seed)
    say(f"seed {seed}: {count} faults, {users} people")
    try:
        everything = world.profiles
        if every_point:  # the sweeper needs a GPU each time
            world.profiles = [name for name in everything if name != "gpu"]
        world.start()
        world.go_on()
        if every_point:
            sweep(world, say)
            world.profiles = everything
            world.go_on()
        inject(world, faults, count, every, say)
        world.settle()
        log = world.hub.log()
    finally:
        world.clean_up()
    by_kind = {kind: sum(k == kind for k, _ in world.complaints) for kind in KINDS}
    counts = {k: v for k, v in vars(world.counts).items() if isinstance(v, int)}
    return {"seed": seed, "faults": dict(sorted(faults.done.items())), "count": sum(faults.done.values()),
            "points": dict(sorted(faults.points.items())), "in_culls": in_culls(faults),
            "result": by_kind, "found": world.complaints, "load": counts, "refusals": world.refusals, "hub_exits": world.hub_exits,
            "engine_calls": world.gate.counts, "commits": world.disk.questions, "hub_log": log, "evidence": world.evidence,
            "took_seconds": round(time.monotonic() - began, 1)}


def in_culls(faults: Faults) -> dict:
    """Which faults came while the hub ended a server by itself, and how often."""
    swept = {name: times for name, times in faults.done.items() if name.startswith("sweep of cull")}
    return {name: times for name, times in sorted([*faults.in_culls.items(), *swept.items()]) if times}


def inject(world, faults: Faults, count: int, every: int, say) -> None:
    done, missed = sum(faults.done.values()), 0
    plan = faults.plan(count)
    while done < count:
        if not plan:
            plan = faults.plan(max(30, count - done))
        name, act = plan.pop()
        # Mostly the hub is up when something breaks; now and then it breaks again while it is coming back.
        if faults.random.random() < 0.75:
            wait_until("the hub answers", lambda: hub_answers(world), 90, 0.05)
        begun = time.monotonic()
        if not act():
            missed += 1
            if missed > 10 * count + 100:
                raise AssertionError("the faults do not find their moments")
            continue
        faults.done[name] += 1
        done += 1
        say(f"{done}. {name} ({time.monotonic() - begun:.1f} s)")
        time.sleep(faults.random.random() * 0.3)
        if done % every == 0 and done < count:
            say(f"{done} faults; {world.counts.started} starts, {world.counts.pings} pings")
            world.settle()
            world.go_on()
