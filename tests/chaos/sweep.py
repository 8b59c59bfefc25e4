"""Every point once: each process killed before and after each engine call and each commit of a start, a stop, a cull and
an adoption, one at a time, while everybody else goes on using their servers. After each one the walk must find nothing.
"""

import itertools
import time

from tests.chaos.disk import POINTS
from tests.chaos.faults import ROLES
from tests.chaos.limits import LIMITS, reason_of
from tests.chaos.load import User
from tests.chaos.walker import walk
from tests.support.person import wait_until

CALLS = {"start": ["create", "start", "inspect"], "stop": ["list", "stop", "remove", "inspect"],
         "cull": ["list", "stop", "remove"], "adopt": ["list", "events", "inspect"]}
COMMITS = {"start": 3, "stop": 2, "cull": 3, "adopt": 2}
PATIENCE = 60.0


class Sweep:
    def __init__(self, world, faults):
        self.world, self.faults = world, faults
        self.user = User(world, "sweeper", 0)
        world.hub.api("POST", "/users/sweeper")
        world.users.append(self.user)  # so that its container is known; it has no thread
        self.user.resting = True
        self.profile = "gpu"

    def model(self) -> dict:
        """The server as the hub shows it, once the hub answers and nothing is pending."""
        seen = {}

        def settled():
            seen["model"] = self.user.model()
            return seen["model"] is not None and not seen["model"].get("pending")
        wait_until("the hub answers about the sweeper's server", settled, PATIENCE, 0.05)
        return seen["model"]

    def ask(self, method: str) -> None:
        self.user.excuse("swept")
        body = {"json": {"profile": self.profile}} if method == "POST" else {}
        self.user.api(method, "/server", **body)

    def bring_to(self, ready: bool) -> None:
        def there():
            if bool(self.model().get("ready")) == ready:
                return True
            self.ask("POST" if ready else "DELETE")
            return False
        wait_until(f"the sweeper's server is {'ready' if ready else 'stopped'}", there, PATIENCE, 0.2)

    def begin(self, use: str) -> None:
        """Sets the use case going; the armed fault meets it on its way."""
        if use == "cull":
            return  # it comes by itself
        if use == "adopt":
            self.world.kill("serve")
        else:
            self.world.in_background(self.ask, "POST" if use == "start" else "DELETE")

    def quiet_again(self, where: str) -> None:
        end, found = time.monotonic() + PATIENCE, []
        while time.monotonic() < end:
            try:
                self.model()
                if not (found := walk(self.world)):
                    return
            except Exception as error:  # noqa: BLE001 - hub, proxy or engine are on their way back
                found = [("stuck", f"{type(error).__name__}: {error}")]
            time.sleep(0.2)
        for kind, what in found:
            self.world.complain(kind, f"{where}: {what}")

    def one(self, use: str, role: str, arm, where: str) -> bool:
        self.profile = "brief" if use == "cull" else "gpu"
        self.bring_to(ready=use != "start")
        self.quiet_again(f"before {where}")
        if use == "cull" and not self.end_is_near():
            return False
        happened = arm(lambda: self.begin(use))
        self.quiet_again(where)
        if use == "cull":
            self.must_have_ended(role, where)
        return happened

    def end_is_near(self) -> bool:
        """In its last second; False when the walk before took longer than that."""
        end = time.monotonic() + PATIENCE
        while (model := self.model()).get("ready") and time.monotonic() < end:
            if (model["berth"].get("ending") or {}).get("seconds_left", 9) <= 1:
                return True
            time.sleep(0.05)
        return False

    def must_have_ended(self, role: str, where: str) -> None:
        wait_until(f"the server ends after {where}", lambda: not self.model().get("ready"), PATIENCE, 0.1)
        reads = reason_of(self.user).get("stopped_because") or ""
        if LIMITS["brief"].sentence in reads:
            self.world.counts.add("culled")
        elif role != "container":
            self.world.complain("untold", f"{where}: the server has ended, and all its person reads is {reads!r}")


def sweep(world, say) -> None:
    world.quiet = True
    wait_until("everybody rests", lambda: all(u.resting for u in world.users), 120)
    from_faults = world.faults
    sweeper = Sweep(world, from_faults)
    for use, role in itertools.product(CALLS, ROLES):
        done = 0
        for call, phase in itertools.product(CALLS[use], ["before", "after"]):
            where = f"{use}: {role} {phase} {call}"
            arm = lambda begin, c=call, p=phase, r=role: from_faults.kill_at_call(r, c, p, begin, skip=0)  # noqa: E731
            done += count(from_faults, use, role, sweeper.one(use, role, arm, where))
        for number, point in itertools.product(range(COMMITS[use]), POINTS):
            where = f"{use}: {role} at commit {number + 1}, {POINTS[point]}"
            skip = number if point != "w" else number * 4  # a commit writes several pages
            arm = lambda begin, p=point, s=skip, r=role: from_faults.kill_at_commit(r, p, begin, skip=s)  # noqa: E731
            done += count(from_faults, use, role, sweeper.one(use, role, arm, where))
        say(f"sweep: {use}, {role}: {done} kills")
    sweeper.bring_to(ready=False)
    world.users.remove(sweeper.user)
    world.quiet = False


def count(faults, use: str, role: str, happened: bool) -> bool:
    faults.done[f"sweep of {use}: kill -9 {role}"] += happened
    return happened
