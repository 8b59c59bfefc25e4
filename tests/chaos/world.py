"""A hub with everything around it that a fault may hit, people at work, and the walk when all is quiet again."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import psutil

from tests.chaos.disk import Disk
from tests.chaos.engine import BASE_IMAGE, NOTEBOOK_IMAGE, Engine
from tests.chaos.gate import Gate
from tests.chaos.load import Counts, User
from tests.chaos.limits import LIMITS, options, overdue
from tests.chaos.walker import walk
from tests.support import hub as hubs
from tests.support.person import wait_until

SETTLE = 100.0  # seconds until everything must agree: the reaper's longest pause, and an engine call's deadline
SINGLE_USER = (pathlib.Path(__file__).parent / "single_user.py").read_text()
GPUS = 4


class Hub(hubs.Berth):
    def __init__(self, *arguments, extra_environment: dict, **more):
        super().__init__(*arguments, **more)
        self.extra = extra_environment

    def environment(self) -> dict:
        return {**super().environment(), **self.extra}


class World:
    def __init__(self, folder: pathlib.Path, seed: int, users: int, say=print, notebooks: bool = False,
                 config: dict | None = None):
        self.folder, self.seed, self.say = folder, seed, say
        self.random = random.Random(seed)
        self.mark = f"chaos{os.getpid()}"
        self.engine = Engine(folder / "engine")
        self.gate = Gate(str(folder / "gate.sock"), self.engine.socket)
        self.disk = Disk(folder)
        self.user_count = users
        self.counts = Counts()
        self.complaints: list[tuple[str, str]] = []
        self.evidence: list[str] = []  # what hub, engine and proxy said at a complaint
        self.lock = threading.Lock()
        self.over = self.quiet = self.held_back = False
        self.proxies_ended = 0
        self.hub_exits: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.pause, self.stop_chance = 0.4, 0.08
        self.profiles = ["cpu"] * 5 + ["gpu"] * 4 + ["small"] * 3 + ["brief"] * 2 + ["lull"] + (["notebook"] if notebooks else [])
        self.notebooks = notebooks
        self.state_dir = folder / "hub" / "state"
        self.users: list[User] = []
        self.faults = None
        self.background: list[threading.Thread] = []
        self.hub = self.make_hub(config or {})

    def make_hub(self, config: dict) -> Hub:
        build = pathlib.Path(hubs.berth_binary()).parent / "stand-ins"
        model = self.folder / "gpus.model"
        model.write_text(f"gpus {GPUS}\n")
        program = ["python3", "-c", SINGLE_USER]
        profiles = [{"name": "cpu", "display_name": "cpu", "command": program},
                    {"name": "gpu", "display_name": "gpu", "gpus": 1, "command": program},
                    {"name": "small", "display_name": "small", "memory": "64M", "command": program},
                    *({"name": name, "display_name": name, "command": program} for name in [*LIMITS, "hour"])]
        if self.notebooks:
            profiles.append({"name": "notebook", "display_name": "notebook", "image": NOTEBOOK_IMAGE})
        return Hub(self.folder / "hub", hubs.merged({
            "spawner": "docker",
            "gpu": {"agent": True, "nvml_library": str(build / "libnvidia-ml.so.1"), "poll_interval": "1s"},
            "spawn": {"start_timeout": "20s", "http_timeout": "15s", "stop_timeout": "1s", "poll_interval": "2s"},
            "docker": {"host": f"unix://{self.gate.path}", "image": BASE_IMAGE, "network": self.mark, "pull": False,
                       "name_template": self.mark + "-{username}--{servername}", "volumes": []},
            "profiles": profiles, "cull": options()}, config),
            extra_environment={**self.disk.environment(build / "disk.so"), "BERTH_NVML_MODEL": str(model)})

    # ------------------------------------------------------------------- life
    def start(self) -> "World":
        self.engine.start()
        self.engine.take_image(BASE_IMAGE)
        if self.notebooks:
            self.engine.take_image(NOTEBOOK_IMAGE)
        self.gate.start()
        # A disk of its own, so that it can really be full.
        self.state_dir.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs", str(self.state_dir)], check=True)
        self.hub.start()
        threading.Thread(target=self.supervise, daemon=True).start()
        threading.Thread(target=self.watch_devices, daemon=True).start()
        for number in range(self.user_count):
            name = f"u{number:02}"
            assert self.hub.api("POST", f"/users/{name}").status_code == 201
            self.users.append(User(self, name, self.seed * 1000 + number))
        for user in self.users:
            user.start()
        return self

    def supervise(self) -> None:
        """What systemd does: starts the hub again however it ended, and remembers how."""
        while not self.over:
            code = self.hub.process.poll()
            if code is None or self.held_back:
                time.sleep(0.02)
                continue
            if self.over:
                return
            name = signal.Signals(-code).name if code < 0 else f"exit {code}"
            self.hub_exits[name] = self.hub_exits.get(name, 0) + 1
            if code < 0 and code != -signal.SIGKILL or code == 70:
                self.complain("crashed", f"the hub ended with {name}: {self.hub.log()[-600:]}")
            time.sleep(0.3 if code > 0 else self.random.random() * 0.3)
            self.hub.start(wait=False)

    def watch_devices(self) -> None:
        """At no moment, not only when all is quiet, may two containers that run have the same GPU."""
        told = set()
        while not self.over:
            holders: dict[str, list] = {}
            with contextlib.suppress(Exception):
                for one in self.engine.containers(timeout=5):
                    for uuid in filter(None, one["Labels"].get("berth.gpu", "").split(",")):
                        if one["State"] == "running":
                            holders.setdefault(uuid, []).append(f"{one['Names'][0]} {one['Id'][:12]}")
            for uuid, names in holders.items():
                if len(names) > 1 and (uuid, *names) not in told:
                    told.add((uuid, *names))
                    self.complain("doubled", f"GPU {uuid} is in {' and '.join(names)} at once")
            time.sleep(0.25)

    def complain(self, kind: str, what: str) -> None:
        with self.lock:
            self.complaints.append((kind, what))
            if len(self.evidence) < 5:
                self.evidence.append(f"{kind}: {what}\n{self.last_words()}")
        self.say(f"  {kind}: {what}")

    def last_words(self) -> str:
        words = f"{time.strftime('%H:%M:%S', time.gmtime())}, {self.proxies_ended} proxies were killed\n{self.hub.log()[-6000:]}"
        with contextlib.suppress(Exception):
            for one in self.engine.containers(timeout=5):
                networks = one["NetworkSettings"]["Networks"].values()
                words += f"\n{one['Names'][0]} {one['State']} {one['Status']} {[network['IPAddress'] for network in networks]}"
        with contextlib.suppress(OSError):
            words += f"\nproxy.log:\n{(self.state_dir / 'logs' / 'proxy.log').read_text(errors='replace')[-2000:]}"
        return words

    def in_background(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self.background = [t for t in self.background if t.is_alive()] + [thread]
        thread.start()

    def clean_up(self) -> None:
        self.over = True
        time.sleep(0.1)
        for user in self.users:
            if user.is_alive():
                user.join(30)
        with contextlib.suppress(Exception):
            self.hub.process.kill()
        self.hub.kill_leftovers()
        self.gate.stop()
        self.disk.stop()
        self.engine.clean_up()
        subprocess.run(["umount", "-l", str(self.state_dir)], check=False)

    # ---------------------------------------------------------------- targets
    def pid_of(self, role: str) -> int | None:
        """`berth proxy` or `berth gpu-agent` of this hub."""
        if role == "proxy":
            for process in psutil.process_iter(["cmdline"]):
                line = process.info["cmdline"] or []
                if line[1:2] == ["proxy"] and str(self.state_dir / "proxy.sock") in line \
                        and process.status() != psutil.STATUS_ZOMBIE:
                    return process.pid
            return None
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.hub.process.pid).children():
                if child.cmdline()[1:2] == ["gpu-agent"]:
                    return child.pid
        return None

    def kill(self, role: str, container: str = "") -> bool:
        """kill -9 of that process; False when there was none."""
        if role == "container":
            return self.kill_container(container)
        if role == "dockerd":
            return self.kill_engine()
        pid = self.hub.process.pid if role == "serve" else self.pid_of(role)
        if role == "proxy":
            self.proxies_ended += 1
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def kill_engine(self) -> bool:
        if self.engine.starting.locked() or self.engine.process.poll() is not None:
            return False
        self.engine.process.kill()
        self.engine.process.wait()
        self.in_background(self.engine.start)
        return True

    def kill_container(self, container: str) -> bool:
        with contextlib.suppress(Exception):
            if container:
                found = self.engine.inspect(container)
                user = self.user_of(found["Config"]["Labels"]) if found else None
            else:
                user = self.somebody()
                container = self.container_of(user) if user else ""
            if user is None:
                return False
            user.excuse("its container was killed")
            return self.engine.kill_container(container)
        return False

    def user_of(self, labels: dict) -> User | None:
        return next((u for u in self.users if u.user == labels.get("berth.user")), None)

    def container_of(self, user: User) -> str:
        return f"{self.mark}-{user.user}"

    def somebody(self, profile: str | None = None) -> User | None:
        """A person whose server runs, preferably one that no fault has hit yet."""
        busy = [u for u in self.users if (life := u.life) and life.boot and (profile in (None, life.profile))
                and not u.is_excused(life)]
        return self.random.choice(busy) if busy else None

    # --------------------------------------------------------------- the walk
    def calm(self) -> None:
        """No fault any more, and everybody rests."""
        self.gate.fault = self.disk.fault = None
        self.gate.deaf_to_events = False
        self.disk.set_clock(0)
        self.quiet = True
        for thread in self.background:
            thread.join(120)
        (self.state_dir / "filler").unlink(missing_ok=True)
        with contextlib.suppress(ProcessLookupError):
            self.engine.signal(signal.SIGCONT)

    def settle(self) -> list[tuple[str, str]]:
        """Waits until nothing disagrees, and returns what still does when the time is over."""
        self.calm()
        begin, found = time.monotonic(), [("stuck", "nothing could be walked")]
        while time.monotonic() - begin < SETTLE:
            try:
                found = [] if all(u.resting for u in self.users) else [("stuck", "somebody still waits for the hub")]
                found += walk(self) + overdue(self.users)
                if not found and self.hub.api("GET", "/users", timeout=5).status_code == 200:
                    break
            except Exception as error:  # noqa: BLE001 - proxy, hub or engine are on their way back
                found = [("stuck", f"{type(error).__name__}: {error}")]
            time.sleep(0.5)
        took = time.monotonic() - begin
        for kind, what in found:
            self.complain(kind, what)
        for user in self.users:
            user.verify()
        self.say(f"  settled after {took:.1f} s; {sum(u.life is not None for u in self.users)} servers run")
        return found

    def stop_all(self) -> None:
        self.calm()
        self.hub.wait_healthy()
        for user in self.hub.api("GET", "/users").json():
            self.hub.api("DELETE", f"/users/{user['name']}/server")

    def go_on(self) -> None:
        self.quiet = False
        wait_until("somebody's server runs again", lambda: self.somebody() is not None, 60, 0.1)
