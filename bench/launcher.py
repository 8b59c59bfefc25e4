"""Click on "Start" to a usable JupyterLab launcher in Chromium, both hubs with the notebook image in Docker.

Turn by turn, each with a fresh browser profile (cold cache), a volume that exists and the image in the page cache. Beside
it the least that Lab takes by itself: opened again in the same browser, from a server that has long been running, with
everything that a browser can keep. Together with the container's own boot (bench/run spawn) that is what no hub gets below.
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


def lab_again(page):
    time.sleep(2)  # what the first opening left to do
    began = time.monotonic()
    page.reload()
    chrome.wait_launcher(page)
    return time.monotonic() - began


def one_turn(browser, hub):
    context = browser.new_context(viewport=chrome.SIZE)
    page = context.new_page()
    page.set_default_timeout(90_000)
    try:
        chrome.sign_in(page, hub.url, "ann", "pw", then="/hub/home")
        page.wait_for_load_state()
        began = click(page)
        chrome.wait_launcher(page)
        took = time.monotonic() - began
        return took, lab_again(page)
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
    again = [lab for _, lab in ours], [lab for _, lab in theirs]
    ours, theirs = [took for took, _ in ours], [took for took, _ in theirs]
    here, there = peers.median(ours), peers.median(theirs)
    return {"rows": [peers.row("click to usable launcher", "s", here, {"JupyterHub 6 + DockerSpawner": there}, "≤ 0.8",
                               here <= 0.8 * there),
                     peers.row("Lab again, in a browser that kept everything", "s", peers.median(again[0]),
                               {"JupyterHub 6 + DockerSpawner": peers.median(again[1])})],
            "berth_seconds": ours, "jupyterhub_seconds": theirs, "ratio": here / there}
