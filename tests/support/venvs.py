"""Virtual environments with a given JupyterHub, kept under build/ and made again only when their list changes."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BERTH_TEST_BUILD", ROOT / "build"))

# The last release of each line that images out there carry. JupyterHub before 4 needs SQLAlchemy 1.
JUPYTERHUB_VERSIONS = {
    "6.1.1": [],
    "5.5.4": [],
    "4.1.6": [],
    "3.1.1": ["sqlalchemy<2"],
    "2.3.1": ["sqlalchemy<2"],
}
JUPYTERLAB = "jupyterlab>=4.4,<5"


def ensure(folder: pathlib.Path, requirements: list[str]) -> pathlib.Path:
    """Makes the environment `folder` holding `requirements` unless it is there; returns its bin folder."""
    wanted = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    stamp = folder / ".berth-stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder / "bin"
    subprocess.run([str(ROOT / "tools" / "make_venv"), str(folder), *requirements], check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return folder / "bin"


def jupyterhub(version: str) -> pathlib.Path:
    """bin folder of an environment with jupyterhub==version and JupyterLab."""
    pins = [f"jupyterhub=={version}", JUPYTERLAB, *JUPYTERHUB_VERSIONS[version]]
    return ensure(BUILD / "matrix" / version, pins)


def hub_peer() -> pathlib.Path:
    """bin folder of JupyterHub with DockerSpawner: the bench's peer, and the control for these suites."""
    pins = ["jupyterhub==6.1.1", "dockerspawner", "jupyterhub-idle-culler", JUPYTERLAB]
    return ensure(BUILD / "peer", pins)


def idle_culler(version: str) -> pathlib.Path:
    """python of an environment with nothing but jupyterhub-idle-culler==version."""
    return ensure(BUILD / "idle-culler" / version, [f"jupyterhub-idle-culler=={version}"]) / "python"


def configurable_http_proxy() -> pathlib.Path:
    """The npm package's program, under build/peer-proxy."""
    folder = BUILD / "peer-proxy"
    program = folder / "node_modules" / ".bin" / "configurable-http-proxy"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise FileNotFoundError("npm is missing; install it with: apt-get install nodejs npm")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder),
                        "configurable-http-proxy@5"], check=True, stdout=sys.stderr)
    return program
