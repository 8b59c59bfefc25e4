"""The faults: each is done once when called, and says whether it happened and under which name it is counted."""

import contextlib
import random
import signal
import sqlite3
import threading
import time
from collections import Counter

import requests

from tests.chaos.disk import POINTS
from tests.chaos.engine import freeze
from tests.chaos.limits import about_to_end

ROLES = ["serve", "proxy", "gpu-agent", "dockerd", "container"]
ENGINE_CALLS = ["create", "start", "inspect", "list", "stop", "remove", "events"]
MOMENTS = [(call, phase) for call in ENGINE_CALLS for phase in ("before", "after")]
WAIT = 8.0  # seconds in which an armed fault must find its moment
SWEEP_WAIT = 2.0
CULL_MOMENTS = [(call, phase) for call in ("list", "stop", "remove") for phase in ("before", "after")]


class Once:
    """Lets the first of those who fit do it."""

    def __init__(self, skip: int = 0):
        self.done, self.skip, self.lock = threading.Event(), skip, threading.Lock()
        self.taken = False

    def take(self) -> bool:
        with self.lock:
            if self.taken:
                return False
            if self.skip > 0:
                self.skip -= 1
                return False
            self.taken = True
            return True


class Faults:
    def __init__(self, world, seed: int):
        self.world = world
        self.random = random.Random(seed)
        self.done: Counter = Counter()
        self.points: Counter = Counter()  # of kills and lies: where exactly
        self.in_culls: Counter = Counter()  # those of them that came while the hub ended a server by itself
        self.met_a_cull = False
        self.decks: dict[str, list] = {}

    def next_of(self, deck: str, cards: list):
        """One of them, in an order of this seed's, and none twice before all came."""
        if not self.decks.get(deck):
            self.decks[deck] = self.random.sample(cards, len(cards))
        return self.decks[deck].pop()

    # ----------------------------------------------------------------- arming
    def at_call(self, name: str, phase: str, act, skip: int = 0, begin=None, of=()) -> bool:
        """`act(call)` at the next call of that name; its answer is the gate's. `begin` sets off what makes the call.

        of: names of a container; only calls about it count, where a call is about one at all.
        """
        once, outcome = Once(0 if name == "events" else skip), []

        def fault(call):
            if call.name != name or call.phase != phase or of and call.container and call.container not in of:
                return None
            if not once.take():
                return None
            self.met_a_cull = bool(about_to_end(self.world.users))
            answer = act(call)
            outcome.append(answer != "missed")
            once.done.set()
            return None if answer == "missed" else answer
        self.world.gate.fault = fault
        if begin:
            begin()
        elif name == "events":
            self.world.gate.cut_events()
        happened = once.done.wait(WAIT if begin is None else SWEEP_WAIT) and outcome[0]
        self.world.gate.fault = None
        return happened

    def at_commit(self, point: str, act, skip: int = 0, begin=None) -> bool:
        once, outcome = Once(skip), []

        def fault(what, file):
            if what != point or file != "w" or not once.take():
                return None
            self.met_a_cull = bool(about_to_end(self.world.users))
            answer = act()
            outcome.append(answer != "missed")
            once.done.set()
            return None if answer == "missed" else answer
        self.world.disk.fault = fault
        if begin:
            begin()
        happened = once.done.wait(WAIT if begin is None else SWEEP_WAIT) and outcome[0]
        self.world.disk.fault = None
        return happened

    # ------------------------------------------------------------------ kills
    def kill_at_call(self, role: str, call: str, phase: str, begin=None, skip: int | None = None, of=()) -> bool:
        def act(what):
            if not self.world.kill(role, what.container if call != "create" else ""):
                return "missed"
            if role in ("serve", "dockerd"):
                return "drop" if phase == "before" else "lost"
            return None
        skip = self.random.randrange(2) if skip is None else skip
        return self.noted(f"{role} {phase} {call}", self.at_call(call, phase, act, skip, begin, of), bool(of))

    def noted(self, point: str, happened: bool, aimed: bool = False) -> bool:
        """aimed: at a server that the hub is ending; a fault of hub or engine hits whatever they are ending."""
        self.points[point] += happened
        with_the_hub = point.startswith(("serve", "dockerd")) or "killed hub" in point
        self.in_culls[point] += happened and self.met_a_cull and (with_the_hub or aimed)
        return happened

    def kill_at_commit(self, role: str, point: str, begin=None, skip: int | None = None) -> bool:
        def act():
            if role == "serve":
                return "k"
            return None if self.world.kill(role) else "missed"
        skip = self.random.randrange(5) if skip is None else skip
        return self.noted(f"{role} {POINTS[point]}", self.at_commit(point, act, skip, begin))

    # ------------------------------------------------------------------ culls
    def next_end(self) -> tuple[str, ...]:
        """The names of a container that the hub is about to end by itself; none when nobody's end comes in time."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for user in about_to_end(self.world.users):
                with contextlib.suppress(Exception):
                    found = self.world.engine.inspect(self.world.container_of(user))
                    return (found["Id"], found["Name"].strip("/"))
            time.sleep(0.05)
        return ()

    def kill_in_cull(self, role: str) -> bool:
        call, phase = self.next_of(f"{role} in a cull", CULL_MOMENTS)
        container = self.next_end()
        return bool(container) and self.kill_at_call(role, call, phase, skip=0, of=container)

    def kill_at_commit_of_cull(self, role: str) -> bool:
        point = self.next_of(f"{role} at a commit of a cull", list(POINTS))
        return bool(self.next_end()) and self.kill_at_commit(role, point, skip=self.random.randrange(4))

    def answer_in_cull(self) -> bool:
        how = self.next_of("lies in a cull", ["500", "lost", "late", "slow"])
        container = self.next_end()
        call = self.random.choice(["stop", "remove"])
        return bool(container) and self.noted(f"{how} {call}", self.at_call(call, "before", lambda _: how, of=container), True)

    def kill_now(self, role: str) -> bool:
        return self.world.kill(role)

    def end_hub(self) -> bool:
        self.world.hub.process.send_signal(signal.SIGTERM)
        return True

    # ------------------------------------------------------------- the engine
    def answer(self, how: str) -> bool:
        calls = ENGINE_CALLS[:6] if how in ("500", "hang") else ["create", "start", "stop", "remove"]
        call = self.next_of(how, calls)
        return self.noted(f"{how} {call}", self.at_call(call, "before", lambda _: how, self.random.randrange(2)))

    def kill_before_slow_call(self) -> bool:
        """The hub dies while the engine still has its call before it, and its successor looks before that is done."""
        call = self.next_of("slow for a killed hub", ["create", "create", "start", "remove"])

        def act(_):
            return "slow" if self.world.kill("serve") else "missed"
        return self.noted(f"slow {call} of a killed hub", self.at_call(call, "before", act))

    def freeze_engine(self) -> bool:
        if self.world.engine.starting.locked():
            return False
        self.world.in_background(freeze, self.world.engine, self.random.choice([2, 4, 8, 18]))
        time.sleep(0.5)
        return True

    def restart_engine(self) -> bool:
        engine = self.world.engine
        if engine.starting.locked() or engine.process.poll() is not None:
            return False
        engine.end()
        engine.start()
        return True

    def restart_engine_with_its_containers(self) -> bool:
        """As an engine without live-restore does: everybody's container ends with it."""
        engine = self.world.engine
        if engine.starting.locked() or engine.process.poll() is not None:
            return False
        self.excuse_all("the engine ended every container")
        engine.end()
        engine.start(live_restore=False)
        self.excuse_all("the engine ended every container")
        engine.end()
        engine.start()
        return True

    def excuse_all(self, why: str) -> None:
        for user in self.world.users:
            user.excuse(why)

    def cut_events(self) -> bool:
        self.world.gate.cut_events()
        return True

    def lose_events(self) -> bool:
        """A container dies while its events go nowhere."""
        self.world.gate.deaf_to_events = True
        happened = self.world.kill("container")
        time.sleep(1)
        self.world.gate.deaf_to_events = False
        return happened

    def take_network(self) -> bool:
        user = self.world.somebody()
        if user is None:
            return False
        user.excuse("its network was taken away")
        with contextlib.suppress(Exception):
            self.world.engine.ask("POST", f"/networks/{self.world.mark}/disconnect",
                                  {"Container": self.world.container_of(user), "Force": True})
            return True
        return False

    def starve(self) -> bool:
        """A server eats more memory than it may; its owner looks why it ended before they start it again."""
        user = self.world.somebody("small")
        if user is None:
            return False
        user.starved = user.life
        user.excuse("it ate its memory")
        with contextlib.suppress(requests.RequestException):
            requests.get(user.url + "eat", timeout=10)
        return True

    # --------------------------------------------------------------- the disk
    def fill_disk(self) -> bool:
        self.world.in_background(self.full_disk, self.random.uniform(1, 4))
        time.sleep(0.3)
        return True

    def full_disk(self, seconds: float) -> None:
        filler = self.world.state_dir / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)
        time.sleep(seconds)
        filler.unlink(missing_ok=True)

    def refuse_writes(self) -> bool:
        """Every write of the database fails for a while, also those that need no new block."""
        begin, hits = time.monotonic(), []
        seconds = self.random.uniform(0.5, 3)

        def fault(what, _):
            if what != "w":
                return None
            hits.append(1)
            return "n"
        self.world.disk.fault = fault
        while time.monotonic() - begin < seconds:
            time.sleep(0.05)
        self.world.disk.fault = None
        return bool(hits)

    def fail_disk(self, point: str) -> bool:
        return self.at_commit(point, lambda: "e", self.random.randrange(3))

    def hold_database(self, seconds: float) -> bool:
        self.world.in_background(self.held, seconds)
        time.sleep(0.2)
        return True

    def held(self, seconds: float) -> None:
        with contextlib.closing(sqlite3.connect(self.world.state_dir / "berth.sqlite", timeout=10)) as other, \
                contextlib.suppress(sqlite3.Error):
            other.execute("begin immediate")
            time.sleep(seconds)
            other.rollback()

    # -------------------------------------------------------------- the clock
    def set_clock(self, seconds: float) -> bool:
        self.world.disk.set_clock(seconds)
        time.sleep(self.random.uniform(0.5, 2))
        return True

    # --------------------------------------------------------------- the list
    def catalogue(self) -> list[tuple[str, float, object]]:
        """(name in the table, weight, what to do)."""
        pick = self.random.choice
        hour, day = 3600, 86400
        return [
            *[(f"kill -9 {role} at an engine call", 7 if role == "serve" else 3 if role != "dockerd" else 2,
               lambda r=role: self.kill_at_call(r, *self.next_of(r, MOMENTS))) for role in ROLES],
            *[(f"kill -9 {role} at a commit", 6 if role == "serve" else 2,
               lambda r=role: self.kill_at_commit(r, self.next_of(f"{r} commit", list(POINTS)))) for role in ROLES],
            *[(f"kill -9 {role} at any moment", 3 if role == "serve" else 1, lambda r=role: self.kill_now(r))
              for role in ROLES],
            ("kill -9 serve at an engine call of a cull", 3, lambda: self.kill_in_cull("serve")),
            ("kill -9 serve at a commit of a cull", 3, lambda: self.kill_at_commit_of_cull("serve")),
            ("kill -9 of another in a cull", 2, lambda: self.kill_in_cull(self.next_of("another in a cull", ROLES[1:]))),
            ("engine lies in a cull", 2, self.answer_in_cull),
            ("hub ended by SIGTERM", 1, self.end_hub),
            ("engine answers 500", 5, lambda: self.answer("500")),
            ("engine call hangs", 1.5, lambda: self.answer("hang")),
            ("engine answers after the deadline", 2, lambda: self.answer("late")),
            ("engine does it after the deadline", 2, lambda: self.answer("slow")),
            ("engine does it after the hub's death", 3, self.kill_before_slow_call),
            ("engine's answer is lost", 4, lambda: self.answer("lost")),
            ("engine frozen", 0.7, self.freeze_engine),
            ("engine restarted, containers go on", 1, self.restart_engine),
            ("engine restarted, containers ended", 0.5, self.restart_engine_with_its_containers),
            ("events stream cut", 3, self.cut_events),
            ("events lost", 2, self.lose_events),
            ("network of a container gone", 2, self.take_network),
            ("container out of memory", 2, self.starve),
            ("disk full", 1.5, self.fill_disk),
            ("every write refused: no space", 1.5, self.refuse_writes),
            ("fsync fails", 2.5, lambda: self.fail_disk("s")),
            ("write fails: I/O error", 1, lambda: self.fail_disk("w")),
            ("database busy, shorter than patience", 1.5, lambda: self.hold_database(self.random.uniform(0.5, 2.5))),
            ("database busy, longer than patience", 0.4, lambda: self.hold_database(7)),
            ("clock set forward", 2, lambda: self.set_clock(pick([hour, day, 20 * day]))),
            ("clock set back", 2, lambda: self.set_clock(-pick([hour, day, 20 * day]))),
            ("clock set right again", 2, lambda: self.set_clock(0)),
        ]

    def plan(self, count: int) -> list[tuple[str, object]]:
        """`count` faults in an order of this seed's, each kind at least once."""
        kinds = self.catalogue()
        total = sum(weight for _, weight, _ in kinds)
        plan = [(name, act) for name, weight, act in kinds for _ in range(max(1, round(count * weight / total)))]
        self.random.shuffle(plan)
        return plan
