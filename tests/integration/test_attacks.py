"""What somebody in a notebook container may try, each try on the real engine; and the limits that hold the host up."""

import json
import os
import subprocess
import tempfile
import pathlib
import shutil

import pytest

from tests.conftest import docker_clean
from tests.integration.test_gpus import lease_of
from tests.support import hub as hubs

GPUS = [{"uuid": "GPU-aaaa"}, {"uuid": "GPU-bbbb"}]


def docker(*command):
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class World:
    """A hub with the Docker spawner on a network of its own, and the people whose servers run there."""

    def __init__(self, image, name, **docker_options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-t-"))
        self.mark = f"bt{os.getpid()}{name}"
        self.hub = hubs.Berth(self.folder / "hub", {
            "spawner": "docker", "spawn": {"http_timeout": "150s"},
            "gpu": {"agent": False, "devices": GPUS},
            "profiles": [{"name": "gpu", "gpus": 1}, {"name": "cpu"}],
            "docker": {"image": image, "network": self.mark, "pull": False, "gpu_mode": "auto",
                       "name_template": self.mark + "-{username}--{servername}",
                       "volumes": [{"source": self.mark + "-{username}", "target": "/home/jovyan"}], **docker_options}})
        self.hub.start()
        self.people = {}

    def person(self, name, options=None):
        if name not in self.people:
            one = self.hub.person(name).signed_in()
            one.started(options)
            one.open_lab()
            one.inside = one.kernel()
            self.people[name] = one
        return self.people[name]

    def container(self, name):
        return json.loads(docker("inspect", f"{self.mark}-{name}"))[0]

    def end(self):
        self.hub.clean_up()
        docker_clean(self.mark)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world(notebook_image):
    """Ann and bob, each with a GPU, as Berth starts them when nothing else is configured."""
    if not pathlib.Path(hubs.berth_binary()).exists():
        pytest.skip(f"{hubs.berth_binary()} is not built (./run --build)")
    made = World(notebook_image, "att")
    yield made
    made.end()


@pytest.fixture
def ann(world):
    return world.person("ann", {"profile": "gpu"}).inside


@pytest.fixture
def bob(world):
    return world.person("bob", {"profile": "gpu"}).inside


OPEN = """
import socket
def is_open(host, port):
    try:
        socket.create_connection((host, port), 2).close()
        return True
    except OSError:
        return False
print({asked})
"""


def address(kernel):
    return kernel.run("import socket; print(socket.gethostbyname(socket.gethostname()))")


def gateway(world):
    return json.loads(docker("network", "inspect", world.mark))[0]["IPAM"]["Config"][0]["Gateway"].split("/")[0]


# ------------------------------------------------------------------------------- the network

def test_another_container_cannot_be_reached(ann, bob):
    theirs = address(bob)
    assert bob.run(OPEN.format(asked=f"is_open('{theirs}', 8888)")) == "True", "the check can see an open port"
    assert ann.run(OPEN.format(asked=f"is_open('{theirs}', 8888)")) == "False"
    # A port that bob opens himself, for ann to come to, is no way either.
    bob.run("import socket; s = socket.create_server(('0.0.0.0', 5000))")
    assert bob.run(OPEN.format(asked=f"is_open('{theirs}', 5000)")) == "True"
    assert ann.run(OPEN.format(asked=f"is_open('{theirs}', 5000)")) == "False"


def test_nobody_can_pass_for_another_on_the_bridge(world, ann):
    assert "PermissionError" in ann.run("import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)")
    # Not even root in the container could.
    for name in ("NET_RAW", "MKNOD"):
        assert name in [n.removeprefix("CAP_") for n in world.container("ann")["HostConfig"]["CapDrop"]]
    raw = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 768)"
    done = subprocess.run(["docker", "exec", "-u", "0", f"{world.mark}-ann", "python3", "-c", raw],
                          capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr, done


def test_the_engine_cannot_be_reached(world, ann):
    assert ann.run("import os; print([p for p in ('/var/run/docker.sock', '/run/docker.sock', "
                   "'/run/containerd/containerd.sock') if os.path.exists(p)])") == "[]"
    assert ann.run(OPEN.format(asked=f"[p for p in (2375, 2376, 2377) if is_open('{gateway(world)}', p)]")) == "[]"


def test_the_proxys_api_cannot_be_reached(world, ann):
    assert ann.run(f"import os; print(os.path.exists({str(world.folder)!r}))") == "False"
    # Of what listens on the host for Berth, the hub's API for notebooks is all that a container reaches.
    api = ann.variable("JUPYTERHUB_API_URL")
    port = int(api.split(":")[2].split("/")[0])
    public = int(world.hub.url.rsplit(":", 1)[1])
    assert ann.run(OPEN.format(asked=f"is_open('{gateway(world)}', {port})")) == "True"
    assert ann.run(OPEN.format(asked=f"[p for p in ({public}, {public + 1}) if is_open('{gateway(world)}', p)]")) == "[]"
    ask = ("import os, urllib.request as u, urllib.error as e\n"
           "def ask(method, url):\n"
           "    r = u.Request(url, method=method, headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"
           "    try: return u.urlopen(r, timeout=5).status\n"
           "    except e.HTTPError as x: return x.code\n")
    root = api.removesuffix("/hub/api")
    tries = [("GET", "/api/routes"), ("POST", "/api/routes/user/bob"), ("DELETE", "/api/routes/user/bob"),
             ("GET", "/hub/api/proxy"), ("POST", "/hub/api/proxy"), ("GET", "/hub/home"), ("GET", "/user/bob/api")]
    for method, path in tries:
        assert int(ann.run(ask + f"print(ask({method!r}, {root + path!r}))")) in (403, 404, 405), path


# ------------------------------------------------------------------------------- files and metadata

def test_the_hubs_database_cannot_be_read(world, ann):
    database = next((world.folder / "hub" / "state").glob("*.sqlite*"), None) \
        or next(p for p in (world.folder / "hub" / "state").iterdir() if p.suffix in (".db", ".sqlite"))
    assert database.exists()
    assert "FileNotFoundError" in ann.run(f"open({str(database)!r}).read()")
    assert str(world.folder) not in ann.run("print(open('/proc/self/mountinfo').read())")


def test_others_files_cannot_be_read(world, ann, bob):
    bob.run("open('diary.txt', 'w').write('of bob')")
    assert bob.run("print(open('/home/jovyan/diary.txt').read())") == "of bob"
    found = ann.run("import subprocess; print(subprocess.run(['find', '/', '-name', 'diary.txt', '-not', '-path', "
                    "'/proc/*'], capture_output=True, text=True).stdout)", timeout=120)
    assert found == ""
    mounts = world.container("ann")["Mounts"]
    assert [(m["Name"], m["Destination"]) for m in mounts] == [(f"{world.mark}-ann", "/home/jovyan")]


def test_nothing_of_others_is_told(ann, bob):
    told = ann.run("import os; print(dict(os.environ), open('/proc/self/mountinfo').read(), "
                   "open('/etc/hosts').read(), os.listdir('/proc'))")
    assert "bob" not in told and bob.variable("JUPYTERHUB_API_TOKEN") not in told
    # Her processes are all that there is.
    users = ann.run("import os; print({os.stat('/proc/' + p).st_uid for p in os.listdir('/proc') if p.isdigit()})")
    assert users.count(",") == 0, users


# ------------------------------------------------------------------------------- GPUs

def test_only_the_leased_gpu_is_given(world, ann, bob):
    seen = {}
    for name, kernel in (("ann", ann), ("bob", bob)):
        seen[name] = kernel.variable("NVIDIA_VISIBLE_DEVICES")
        assert [seen[name]] == lease_of(world.hub, name)
        requests = world.container(name)["HostConfig"]["DeviceRequests"] or []
        assert all(r["DeviceIDs"] == [seen[name]] and not r["Count"] for r in requests), requests
    assert seen["ann"] != seen["bob"]


def test_device_nodes_cannot_be_made(ann, world):
    make = "import os, stat; os.mknod('/tmp/nvidia1', stat.S_IFCHR | 0o666, os.makedev(195, 1))"
    assert "PermissionError" in ann.run(make)
    done = subprocess.run(["docker", "exec", "-u", "0", f"{world.mark}-ann", "python3", "-c", make],
                          capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr, done
    assert ann.run("import glob; print(glob.glob('/dev/nvidia[0-9]*'))") == "[]"


# What a start request may say of itself; none of it may reach the engine.
OPTIONS = {
    "environment": {"environment": {"NVIDIA_VISIBLE_DEVICES": "all", "CUDA_VISIBLE_DEVICES": "0,1"}},
    "device requests": {"HostConfig": {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}},
    "privileges": {"HostConfig": {"Privileged": True, "CapAdd": ["ALL"], "PidMode": "host", "NetworkMode": "host"},
                   "docker_create": {"HostConfig": {"Privileged": True}}, "privileged": True},
    "mounts": {"volumes": [{"source": "/", "target": "/host"}, {"source": "../{username}", "target": "/up"}],
               "HostConfig": {"Binds": ["/:/host"]}, "Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
    "labels": {"labels": {"berth.user": "bob", "berth.lease": "1", "berth.gpu": "GPU-aaaa"},
               "Labels": {"berth.user": "bob", "berth.instance": "other"}},
    "limits": {"memory": "1T", "pids": 0, "shm_size": "1T", "cpus": 1000, "HostConfig": {"Memory": 0, "PidsLimit": -1}},
    "command": {"command": ["sh", "-c", "id"], "cmd": ["id"], "Cmd": ["id"], "Entrypoint": ["id"], "User": "root"},
}


@pytest.fixture(scope="module")
def expected(world):
    """How the engine got eve's container when she asked for nothing."""
    eve = world.hub.person("eve").signed_in()
    return eve, comparable(world, eve, {"profile": "cpu"})


def comparable(world, eve, options):
    """Starts, and returns what the engine was told, without what differs in each start."""
    eve.started(options)
    got = world.container("eve")
    eve.stop()
    eve.wait_stopped()
    config = got["Config"]
    secret = ("JUPYTERHUB_API_TOKEN=", "JPY_API_TOKEN=")
    return {"host": got["HostConfig"], "image": config["Image"], "user": config["User"], "command": config["Cmd"],
            "entry": config["Entrypoint"], "mounts": [(m["Type"], m["Source"], m["Destination"]) for m in got["Mounts"]],
            "labels": {k: v for k, v in config["Labels"].items() if k not in ("berth.generation", "berth.server")},
            "environment": sorted(e for e in config["Env"] if not e.startswith(secret))}


@pytest.mark.parametrize("what", OPTIONS)
def test_options_of_a_start_change_nothing_but_the_profile(world, expected, what):
    eve, plain = expected
    assert plain["labels"]["berth.user"] == "eve" and "NVIDIA_VISIBLE_DEVICES=void" in plain["environment"]
    assert comparable(world, eve, {"profile": "cpu", **OPTIONS[what]}) == plain


@pytest.mark.parametrize("options", [
    {"image": "--privileged"}, {"image": "--gpus all notebook:latest"}, {"image": "-v /:/host notebook:latest"},
    {"image": "notebook:latest --gpus=all"}, {"image": "../../etc/passwd"}, {"image": "notebook:latest\n--privileged"},
    {"image": "busybox"}, {"image": ["--privileged", "notebook:latest"]}, {"gpus": "all"}, {"gpus": "--gpus all"},
    {"gpus": -1}, {"gpus": 1}, {"gpus": "device=GPU-aaaa"}, {"profile": "../gpu"}, {"profile": "gpu --gpus all"}],
    ids=lambda o: " ".join(f"{k}={v!r}" for k, v in o.items()))
def test_images_and_gpus_that_are_not_offered_are_refused(world, expected, options):
    eve, _ = expected
    answer = eve.start({"profile": "cpu", **options})
    assert 400 <= answer.status_code < 500, answer.text
    assert "eve" not in docker("ps", "-a", "--filter", f"name={world.mark}-eve", "--format", "{{.Names}}")


@pytest.mark.parametrize("name", ["..", "../bob", "bob/../ann", "%2e%2e", ".", "bob/", "/etc", "a\x00b"])
def test_names_lead_to_nobody_elses_volume(world, expected, name):
    stranger = world.hub.person(name)
    assert stranger.login().status_code != 302, "signed in"
    eve, _ = expected
    if name.strip("."):  # a client of HTTP folds the others away before they are sent
        assert eve.start({"profile": "cpu"}, server=name).status_code in (400, 403, 404, 405)
    volumes = docker("volume", "ls", "-q", "--filter", f"name={world.mark}").split()
    assert set(volumes) <= {f"{world.mark}-{n}" for n in ("ann", "bob", "eve")}, volumes


# ------------------------------------------------------------------------------- limits

def test_containers_have_limits_when_nothing_is_configured(world, ann):
    host = world.container("ann")["HostConfig"]
    printed = subprocess.run([hubs.berth_binary(), "config", "defaults"], capture_output=True, text=True, check=True)
    for line in (f"memory: {16 << 30}", "pids: 4096", f"shm_size: {1 << 30}", f"log_size: {20 << 20}"):
        assert f"\n  {line}\n" in printed.stdout, line
    assert host["Memory"] == host["MemorySwap"] == 16 << 30
    assert host["PidsLimit"] == 4096
    assert host["ShmSize"] == 1 << 30
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "2", "max-size": str(10 << 20)}}
    assert host["OomScoreAdj"] == 500
    assert ann.variable("MEM_LIMIT") == str(16 << 30), "Lab shows it"


@pytest.fixture(scope="module")
def tight(notebook_image):
    made = World(notebook_image, "lim", memory="700M", pids=150, shm_size="32M", log_size="2M")
    yield made
    made.end()


def test_a_fork_bomb_ends_at_the_limit_of_pids(tight):
    inside = tight.person("ann", {"profile": "cpu"}).inside
    bomb = ("import subprocess\nmade = []\n"
            "try:\n    while len(made) < 400: made.append(subprocess.Popen(['sleep', '60']))\n"
            "except OSError as failure: print(type(failure).__name__)\n"
            "print(len(made))\n"
            "for one in made: one.kill(); one.wait()")
    said, made = inside.run(bomb, timeout=120).split()
    assert said == "BlockingIOError" and int(made) < 150
    assert inside.run("6*7") == "42"


def test_memory_ends_at_its_limit(tight):
    inside = tight.person("ann", {"profile": "cpu"}).inside
    eat = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'x = b\"x\" * (2 << 30)']).returncode)"
    assert inside.run(eat, timeout=120) == "-9"
    assert inside.run("6*7") == "42", "the notebook itself goes on"
    assert tight.hub.server("ann")["ready"]


def test_shared_memory_ends_at_its_limit(tight):
    inside = tight.person("ann", {"profile": "cpu"}).inside
    assert "No space left" in inside.run("open('/dev/shm/big', 'wb').write(b'x' * (40 << 20))")


def test_output_is_kept_up_to_its_limit(tight):
    inside = tight.person("ann", {"profile": "cpu"}).inside
    inside.run("out = open('/proc/1/fd/1', 'w')\nfor i in range(100_000): print('x' * 90, i, file=out)\nout.flush()",
               timeout=120)
    log = pathlib.Path(tight.container("ann")["LogPath"])
    kept = sum(p.stat().st_size for p in log.parent.glob(log.name + "*"))
    assert 500_000 < kept < 3 << 20, kept
