"""Two people and one GPU, in Chromium and real containers: the one waits with the tab closed, the other's process goes
idle, is warned in Lab and makes room; who waited is told."""

import contextlib
import pathlib
import re
import subprocess
import threading
import time

import pytest

from tests.e2e.test_two_people_two_gpus import browser, stand_in  # noqa: F401
from tests.integration.test_culling import berth_of, gone
from tests.integration.test_gpus import lease_of
from tests.support import browser as chrome
from tests.support.notices import PostBox, Webhook
from tests.support.person import wait_until

BUSY = "import time; print('computing', flush=True); until = time.time() + 30\nwhile time.time() < until: pass\nprint('done')"


class Driver:
    """What the driver would read: the GPU works as long as a process of the server's container does."""

    def __init__(self, hub, container):
        self.model = pathlib.Path(hub.folder) / "state" / "stand-in-gpus.model"
        self.container = container
        self.ended = threading.Event()
        self.was_busy = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def busiest(self):
        """The container's busiest process: its pid on this machine, and its share of a core just now."""
        done = subprocess.run(["docker", "top", self.container, "-eo", "pid"], capture_output=True, text=True, check=False)
        ticks = {}
        for _ in range(2):
            for pid in done.stdout.split()[1:]:
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                    ticks.setdefault(pid, []).append(int(fields[11]) + int(fields[12]))
            self.ended.wait(0.5)
        used = {pid: seen[-1] - seen[0] for pid, seen in ticks.items() if len(seen) == 2}
        pid = max(used, key=used.get, default=None)
        return pid, (used[pid] / 50 if pid else 0)

    def run(self):
        while not self.ended.is_set():
            pid, share = self.busiest()
            busy = share > 0.2
            self.was_busy |= busy
            lines = ["driver 550.54.15", "gpu", "name Simulated GPU", f"utilisation {90 if busy else 0}"]
            if busy:
                lines += ["used_mib 4096", f"process {pid} 4096"]
            self.model.write_text("\n".join(lines) + "\n")

    def stop(self):
        self.ended.set()
        self.thread.join(10)


def config(box, hook):
    return {"gpu": {"agent": True, "poll_interval": "1s", "queue": {"reclaim_idle": "20s"}, "lease": {"length": "2h"}},
            "cull": {"interval": "1s", "grace": "0s", "warning": "40s"},
            "profiles": [{"name": "gpu", "display_name": "JupyterLab with a GPU", "gpus": 1,
                          "description": "One GPU that is yours while the server runs."},
                         {"name": "cpu", "display_name": "JupyterLab", "description": "Without a GPU."}],
            "notify": {"webhook": hook.url, "mail": {
                "server": box.url, "from": "berth@hub.example", "domain": "people.example", "start_tls": False}}}


@pytest.fixture
def receivers():
    box, hook = PostBox(), Webhook()
    yield box, hook
    box.close(), hook.close()


@pytest.mark.timeout(900)
def test_reclaim_under_demand_and_told_with_the_tab_closed(docker_berth, browser, stand_in, receivers):  # noqa: F811
    box, hook = receivers
    hub = docker_berth(config(box, hook), arguments=["--stand-in-gpus", "1"])
    ann = browser.new_context(viewport=chrome.SIZE).new_page()
    bob = browser.new_context(viewport=chrome.SIZE).new_page()
    for page in (ann, bob):
        page.set_default_timeout(90_000)
    chrome.sign_in(ann, hub.url, "ann", "pw", then="/hub/spawn")
    ann.check('input[name="profile"][value="gpu"]')
    ann.click('#spawn_form button[type="submit"]')
    chrome.wait_launcher(ann)
    container = subprocess.run(["docker", "ps", "-q", "--filter", f"name={hub.mark}-ann"], capture_output=True,
                               text=True, check=True).stdout.strip()
    driver = Driver(hub, container)
    try:
        waits_and_is_told(hub, ann, bob, driver, box, hook)
    finally:
        driver.stop()


def waits_and_is_told(hub, ann, bob, driver, box, hook):
    # Nobody waits yet, so Ann may have her GPU for longer.
    home = ann.context.new_page()
    home.goto(f"{hub.url}/hub/home")
    home.get_by_role("button", name="Extend the time of Default server").click()
    home.locator("text=Its GPU stays until").wait_for()
    chrome.shoot(home, "gpu-time")
    home.close()

    # Bob asks while Ann's process computes: a place, a time, and nothing is taken from who works.
    chrome.sign_in(bob, hub.url, "bob", "pw", then="/hub/spawn")
    assert chrome.run_cell(ann, BUSY) == "computing"
    driver.was_busy = False
    wait_until("the driver sees her process compute", lambda: driver.was_busy, 20)
    bob.check('input[name="profile"][value="gpu"]')
    bob.click('#spawn_form button[type="submit"]')
    bob.wait_for_selector("text=position 1 of 1")
    told = bob.locator(".steps li").last.inner_text()
    assert re.search(r"latest|probably", told, re.I), told
    chrome.shoot(bob, "queue-waiting")
    waiting = hub.api("GET", "/berth/gpu/queue").json()["waiting"]
    assert [entry["user"] for entry in waiting] == ["bob"] and waiting[0]["latest_start"], waiting
    bob.context.close()
    assert "ending" not in berth_of(hub, "ann"), "who computes is left alone"
    refused = hub.api("POST", f"/berth/leases/{berth_of(hub, 'ann')['lease']['id']}/extend")
    assert refused.status_code == 409 and "Somebody is waiting" in refused.json()["message"], refused.text

    # The process goes idle: Ann is told in her Lab, does nothing, and makes room.
    warning = ann.locator(".Toastify__toast", has_text="somebody waits for one")
    warning.wait_for(timeout=180_000)
    assert "done" in ann.locator(".jp-OutputArea-output pre").first.inner_text(), "she was warned before her work was over"
    ann.wait_for_timeout(1500)
    chrome.shoot(ann, "queue-warning-in-lab")
    began = time.monotonic()
    wait_until("ann's server is stopped", lambda: gone(hub, "ann"), 150)
    assert time.monotonic() - began > 15, "not before the warning is over"
    assert "had not been used" in berth_of(hub, "ann")["stopped_because"]
    wait_until("bob has the GPU", lambda: lease_of(hub, "bob"), 60)
    wait_until("bob has mail, with no page open", lambda: box.to("bob@people.example"), 150)
    wait_until("the webhook was told", lambda: "ready" in hook.events("bob"), 30)
    assert hook.events("ann")[-1] == "ended" and "ending" in hook.events("ann")
    subject, text = box.to("bob@people.example")[0]
    link = re.search(r"http\S+", text)[0]
    assert subject == "Your server is ready" and link == f"{hub.url}/user/bob/"
    again = ann.context.browser.new_context(viewport=chrome.SIZE).new_page()
    again.set_default_timeout(90_000)
    chrome.sign_in(again, hub.url, "bob", "pw", then="/user/bob/lab")
    chrome.wait_launcher(again)
    chrome.shoot(again, "queue-started")
    ann.goto(f"{hub.url}/hub/home")
    ann.locator(".note-info", has_text="had not been used").wait_for()
    chrome.shoot(ann, "queue-made-room")
