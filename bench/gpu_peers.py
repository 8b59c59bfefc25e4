"""What bench/gpu.py compares with, brought up by itself: a counter service (Flask, Redis, gunicorn) and Slurm on one host.

Packages come from Debian and PyPI when they are missing; nothing is left running. Peer.MISSING says why one is not there.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import psutil

from bench import peers
from tests.support import venvs
from tests.support.ports import free_port, free_ports

SBIN = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
GPUS = 8


def need_packages():
    """From Debian; RUNLEVEL keeps the services that they bring from being started."""
    script = "set -eu; . tools/packages.sh; need_packages bench-gpu"
    subprocess.run(["bash", "-c", script], cwd=venvs.ROOT, check=True, stdout=sys.stderr, env={**SBIN, "RUNLEVEL": "1"})


def spawn(command, log, **environment):
    with open(log, "ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
                                env={**SBIN, **environment}, cwd=pathlib.Path(__file__).parent)


def wait_for(what, done, process, log, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if done():
                return
        time.sleep(0.1)
    raise RuntimeError(f"{what}: not there; its log ends:\n{log.read_text(errors='replace')[-1500:]}")


def end(processes):
    """Each with its children: gunicorn's workers."""
    for process in reversed(processes):
        family = []
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for one in [*family, process]:
            with contextlib.suppress(psutil.Error, OSError):
                one.kill()
        process.wait()


class CounterService:
    """`fsync`: every change is on the disk before its answer, as Berth's grants are; else as Redis comes."""

    def __init__(self, folder, fsync):
        folder.mkdir()
        log, redis_port, self.port = folder / "log", *free_ports(2)
        keep = ["--appendonly", "yes", "--appendfsync", "always"] if fsync else []
        bin_folder = venvs.ensure(venvs.BUILD / "peer-counter", ["flask>=3,<4", "redis>=5,<6", "gunicorn>=22,<24"])
        self.running = []
        try:
            self.running.append(spawn(["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--dir",
                                       str(folder), "--daemonize", "no", *keep], log))
            self.running.append(spawn([str(bin_folder / "gunicorn"), "-w", "2", "--threads", "4", "-b",
                                       f"127.0.0.1:{self.port}", "counter_service:app"], log,
                                      REDIS_PORT=str(redis_port), FACTOR="64"))
            import requests
            url = f"http://127.0.0.1:{self.port}"
            wait_for("Flask and Redis", lambda: requests.post(f"{url}/gpus", json=[f"GPU-{i}" for i in range(GPUS)],
                                                              timeout=2).status_code == 200, self.running[-1], log)
        except BaseException:
            self.close()
            raise
        self.paths, self.token = ("/request", "/release"), ""

    def processes(self):
        return [member for process in self.running
                for member in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]]

    def close(self):
        end(self.running)


SLURM = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """slurmctld and slurmd of this host, with character devices in the place of GPUs. Needs root."""

    def __init__(self, folder):
        folder.mkdir()
        folder.chmod(0o755)
        for name in ("state", "spool", "dev"):
            (folder / name).mkdir()
        self.folder, self.running, log = folder, [], folder / "log"
        self.host = os.uname().nodename.split(".")[0]
        for i in range(GPUS):
            os.mknod(folder / "dev" / f"gpu{i}", 0o20666, os.makedev(1, 3))
        ctld, slurmd = free_ports(2)
        (folder / "slurm.conf").write_text(SLURM.format(host=self.host, ctld=ctld, slurmd=slurmd, folder=folder,
                                                        cpus=os.cpu_count(), gpus=GPUS))
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/dev/gpu[0-{GPUS - 1}]\n")
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        try:
            self.start(log)
        except BaseException:
            self.close()
            raise

    def start(self, log):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        munge = spawn(["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                       f"--pid-file={self.folder}/munge.pid", f"--log-file={self.folder}/munge.log",
                       f"--seed-file={self.folder}/munge.seed"], log)
        self.running.append(munge)
        wait_for("munged", (self.folder / "munge.socket").exists, munge, log)
        self.running.append(spawn(["slurmctld", "-D", "-i"], log, **self.environment))
        self.running.append(spawn(["slurmd", "-D", "-N", self.host], log, **self.environment))
        wait_for("Slurm", self.idle, self.running[-1], log)
        self.ask()

    def idle(self):
        said = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, timeout=5, check=False,
                              env={**SBIN, **self.environment}).stdout
        return said.split() == ["idle"]

    def ask(self):
        """One decision: when and where would a job with one GPU start."""
        said = subprocess.run(["sbatch", "--test-only", "--gres=gpu:1", "--time=60", "--wrap=true"], capture_output=True,
                              text=True, timeout=20, check=False, env={**SBIN, **self.environment}).stderr
        if not re.search(r"to start at \S+ using", said):
            raise RuntimeError(f"sbatch --test-only says: {said.strip()}")

    def processes(self):
        return [psutil.Process(self.running[1].pid)]  # slurmctld: who decides

    def close(self):
        end(self.running)


@contextlib.contextmanager
def brought_up(makers):
    """{name: peer} of those that came up, and {name: why} of those that did not, said aloud."""
    there, missing = {}, {}
    try:
        for name, make in makers.items():
            try:
                there[name] = make()
            except (OSError, RuntimeError, subprocess.SubprocessError) as failure:
                missing[name] = str(failure)
                print(f"gpu: {name} cannot be brought up, its row fails: {failure}", file=sys.stderr, flush=True)
        yield there, missing
    finally:
        for peer in there.values():
            peer.close()
