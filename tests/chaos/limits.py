"""Servers that the hub itself ends, because they are old or nobody works with them: their people must see the end
announced in full, must read the reason afterwards, and must not find the server running long after its end.
"""

import time
from dataclasses import dataclass

WARNING = 2.0  # seconds that the hub announces an end ahead
OVERDUE = 8.0  # seconds after its limit at which a server may still run when nothing is hurt: grace, a look, the stop


@dataclass(frozen=True)
class Limit:
    kind: str
    seconds: int
    sentence: str  # of what a person must read afterwards


LIMITS = {"brief": Limit("max_age", 4, "had run for 4 s"), "lull": Limit("idle", 3, "after 3 s without activity")}


def options() -> dict:
    """Section `cull` of the hub."""
    return {"interval": "1s", "grace": "1s", "warning": f"{WARNING:.0f}s",
            "rules": [{"profile": name, limit.kind: f"{limit.seconds}s"} for name, limit in LIMITS.items()]
            + [{"profile": "hour", "idle": "1h", "max_age": "1h"}]}


def note(life, model: dict, asked: float) -> None:
    """What a look at its server, asked for at that moment, says of its end."""
    ending = (model.get("berth") or {}).get("ending")
    life.ends_at = asked + min(ending["seconds_left"], WARNING) if ending else 0.0
    if not ending:
        life.unannounced_at = asked


def reason_of(user, patience: float = 60) -> dict:
    """What its person reads of a server that has ended; its member `berth`."""
    berth, end = {}, time.monotonic() + patience
    while time.monotonic() < end and not user.world.over:
        answer = user.api("GET", params={"include_stopped_servers": "1"})
        if answer is not None and answer.status_code == 200:
            server = answer.json().get("servers", {}).get("") or {}
            berth = server.get("berth") or {}
            if not server.get("pending"):
                break
        time.sleep(0.1)
    return berth


def judge(user, life, how: str) -> None:
    """Its server is gone: it was ended by its limit, with everything that belongs to that, or a fault hit it."""
    seen, limit = time.monotonic(), LIMITS[life.profile]
    berth = reason_of(user)
    reads = berth.get("stopped_because") or ""
    if limit.sentence not in reads:
        if not user.is_excused(life):
            other = reads or berth.get("failure") or ""
            user.complain("dropped" if other else "untold", f"its {life.profile} server ended: {how}; it reads {other!r}")
        return
    user.world.counts.add("culled")
    if life.unannounced_at and seen - life.unannounced_at < WARNING - 0.5:
        user.complain("untold", f"its {life.profile} server was ended {seen - life.unannounced_at:.1f} s after no end was announced")
    clock_stood = life.clock_then == user.world.disk.clock_was_set and not life.was_there
    if clock_stood and seen - life.asked < limit.seconds - 0.5:
        user.complain("dropped", f"its {life.profile} server was ended after {seen - life.asked:.1f} s")


def overdue(users) -> list[tuple[str, str]]:
    """With nothing hurt any more, nobody outlives their limit for long."""
    found = []
    for user in users:
        if (life := user.life) and life.profile in LIMITS:
            age, most = time.monotonic() - life.asked, LIMITS[life.profile].seconds
            if age > most + OVERDUE:
                found.append(("stuck", f"the {life.profile} server of {user.user} runs since {age:.0f} s and may for {most} s"))
    return found


def about_to_end(users) -> list:
    """People whose server's end was announced and is near or past, and who have not seen it end."""
    return [u for u in users if (life := u.life) and life.ends_at and life.ends_at < time.monotonic() + 1]
