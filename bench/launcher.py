"""Click on "Start" to a usable JupyterLab launcher in Chromium, both hubs with the notebook image in Docker.

Turn by turn, each with a fresh browser profile (cold cache), a volume that exists and the image in the page cache.
"""

import os
import time

from bench import peers
from tests.support import browser as chrome

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "5"))


def click(page):
    """On the home page's start button. With one profile nothing is left to choose: the start begins."""
    page.wait_for_selector("#start")
    began = time.monotonic()
    page.click("#start")
    return began


def one_turn(browser, hub):
    context = browser.new_context(viewport=chrome.SIZE)
    page = context.new_page()
    page.set_default_timeout(90_000)
    try:
        chrome.sign_in(page, hub.url, "ann", "pw", then="/hub/home")
        page.wait_for_load_state()
        began = click(page)
        chrome.wait_launcher(page)
        return time.monotonic() - began
    finally:
        context.close()
        hub.api("DELETE", "/users/ann/server")
        end = time.monotonic() + 60
        while time.monotonic() < end and (server := hub.server("ann")) and not server["stopped"]:
            time.sleep(0.1)


def run():
    peers.need_engine()
    marks = [f"bench{os.getpid()}{kind}" for kind in "bj"]
    ours, theirs = [], []
    with peers.workplace() as folder, chrome.chromium() as browser:
        berth, jupyterhub = peers.berth_docker(folder, marks[0]), peers.jupyterhub_docker(folder, marks[1])
        try:
            for hub in (berth, jupyterhub):
                hub.start()
            one_turn(browser, berth)
            one_turn(browser, jupyterhub)
            for _ in range(TURNS):
                ours.append(one_turn(browser, berth))
                theirs.append(one_turn(browser, jupyterhub))
        finally:
            berth.clean_up()
            jupyterhub.clean_up()
            for mark in marks:
                peers.docker_clean(mark)
    here, there = peers.median(ours), peers.median(theirs)
    return {"rows": [peers.row("click to usable launcher", "s", here, {"JupyterHub 6 + DockerSpawner": there}, "≤ 0.8",
                               here <= 0.8 * there)],
            "berth_seconds": ours, "jupyterhub_seconds": theirs, "ratio": here / there}
