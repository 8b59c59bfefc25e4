"""Fixtures and the counting rule: what cannot run is skipped aloud, and in CI that is a failure."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tests.support import hub as hubs  # noqa: E402
from tests.support import venvs  # noqa: E402

REQUIRE_ALL = os.environ.get("BERTH_REQUIRE_ALL", "") not in ("", "0") or os.environ.get("CI", "") in ("1", "true")


def pytest_addoption(parser):
    parser.addoption("--hub", choices=["berth", "jupyterhub"], default="berth",
                     help="jupyterhub: run against the control, to prove the suite itself")


def pytest_configure(config):
    config.addinivalue_line("markers", "berth_only: not asked of the control")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--hub") == "jupyterhub":
        for item in items:
            if item.get_closest_marker("berth_only"):
                item.add_marker(pytest.mark.skip(reason="asked of Berth only"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With BERTH_REQUIRE_ALL (or in CI) a skip counts as a failure: nothing may be left out in silence."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and REQUIRE_ALL and not hasattr(report, "wasxfail") \
            and item.config.getoption("--hub") == "berth":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    if report.failed and report.when == "call":
        for one in getattr(item, "berth_hubs", []):
            report.sections.append(("hub log", one.log()[-6000:]))


@pytest.fixture
def folder():
    """A short-named folder of this test's own (socket paths have 108 bytes)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="berth-t-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def berth(folder, request):
    """berth(config, **more) starts a hub that ends with the test; start=False only prepares it."""
    made = request.node.berth_hubs = []

    def make(config=None, start=True, name="hub", **more):
        one = hubs.Berth(folder / name, config, **more)
        made.append(one)
        return one.start() if start else one

    if not pathlib.Path(hubs.berth_binary()).exists():
        pytest.skip(f"{hubs.berth_binary()} is not built (./run --build)")
    yield make
    for one in reversed(made):
        one.clean_up()


@pytest.fixture(scope="session")
def singleuser():
    """jupyterhub-singleuser of JupyterHub 6, from PyPI."""
    return str(venvs.jupyterhub("6.1.1") / "jupyterhub-singleuser")


@pytest.fixture
def local_berth(request, folder, singleuser):
    """local_berth(config) starts a hub with the local spawner (the control only where no configuration is asked)."""
    if request.config.getoption("--hub") == "berth":
        start_berth = request.getfixturevalue("berth")
        base = {"spawner": "local", "local": {"command": singleuser}, "spawn": {"http_timeout": "150s"}}
        yield lambda config=None, **more: start_berth(hubs.merged(base, config or {}), **more)
        return
    made = request.node.berth_hubs = []

    def make(config=None):
        if config:
            pytest.skip("asked of Berth only")
        made.append(hubs.JupyterHub(folder / "hub", singleuser))
        return made[-1].start()
    yield make
    for one in made:
        one.clean_up()


@pytest.fixture(scope="session")
def engine():
    """A Docker Engine that answers, started where none does."""
    script = venvs.ROOT / "tests" / "engine.sh"
    done = subprocess.run([str(script)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no Docker Engine: {done.stderr.strip()}")
    return "unix:///var/run/docker.sock"


@pytest.fixture(scope="session")
def notebook_image(engine):
    done = subprocess.run([str(venvs.ROOT / "images" / "notebook" / "build.sh")], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        pytest.skip(f"the notebook image cannot be built: {done.stderr.strip()[-500:]}")
    return "notebook:latest"


@pytest.fixture
def docker_berth(berth, notebook_image, folder):
    """docker_berth(config) starts a hub with the Docker spawner on a network of this test's own."""
    names = []

    def make(config=None, **more):
        mark = f"bt{os.getpid()}x{len(names)}{folder.name[-6:].lower()}"
        mark = "".join(c if c.isalnum() else "x" for c in mark)
        names.append(mark)
        base = {"spawner": "docker", "spawn": {"http_timeout": "150s"},
                "docker": {"image": notebook_image, "network": mark, "pull": False,
                           "name_template": mark + "-{username}--{servername}",
                           "volumes": [{"source": mark + "-{username}", "target": "/home/jovyan"}]}}
        one = berth(hubs.merged(base, config or {}), **more)
        one.mark = mark
        return one

    yield make
    for mark in names:
        docker_clean(mark)


def docker_clean(mark):
    def lines(*command):
        return subprocess.run(["docker", *command], capture_output=True, text=True, check=False).stdout.split()
    if containers := lines("ps", "-aq", "--filter", f"name={mark}"):
        subprocess.run(["docker", "rm", "-f", *containers], capture_output=True, check=False)
    if volumes := lines("volume", "ls", "-q", "--filter", f"name={mark}"):
        subprocess.run(["docker", "volume", "rm", "-f", *volumes], capture_output=True, check=False)
    subprocess.run(["docker", "network", "rm", mark], capture_output=True, check=False)


@pytest.fixture
def hub_with_singleuser(request, folder):
    """A hub (Berth, or the control with --hub=jupyterhub) whose servers are this program."""
    if request.config.getoption("--hub") == "berth":
        local = request.getfixturevalue("local_berth")
        yield lambda program: local({"local": {"command": program},
                                     "spawn": {"environment": {"JUPYTERHUB_ACTIVITY_INTERVAL": "1"}}})
        return
    made = request.node.berth_hubs = []

    def make(program):
        one = hubs.JupyterHub(folder, program, environment={"JUPYTERHUB_ACTIVITY_INTERVAL": "1"})
        made.append(one)
        return one.start()
    yield make
    for one in made:
        one.clean_up()
