"""Click on "Start" to a usable JupyterLab launcher in Chromium, both hubs with the notebook image in Docker.

Turn by turn, each with a fresh browser profile (cold cache), a volume that exists and the image in the page cache. Beside
it the least that Lab takes by itself: opened again in the same browser, from a server that has long been running, with
everything that a browser can keep. Together with the container's own boot (bench/run spawn) that is what no hub gets below.
An image's very first user comes to hubs with nothing in their state, and has no volume yet.
"""

import contextlib
import os
import time

from bench import peers
from tests.support import browser as chrome
from tests.support import person

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "5"))
FIRSTS = 3


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


@contextlib.contextmanager
def both():
    """Berth and JupyterHub with nothing in their state, started; Berth has read the image."""
    marks = [f"bench{os.getpid()}{kind}" for kind in "bj"]
    with peers.workplace() as folder:
        hubs = peers.berth_docker(folder, marks[0]), peers.jupyterhub_docker(folder, marks[1])
        try:
            for hub in hubs:
                hub.start()
            person.wait_until("the image has been read", lambda: [*folder.glob("berth/state/edge/[0-9a-f]*/index.json")])
            yield hubs
        finally:
            for hub in hubs:
                hub.clean_up()
            for mark in marks:
                peers.docker_clean(mark)


def run():
    peers.need_engine()
    first, later = ([], []), ([], [])
    with chrome.chromium() as browser:
        for _ in range(FIRSTS):
            with both() as hubs:
                for hub, turns in zip(hubs, first):
                    turns.append(one_turn(browser, hub))
        with both() as hubs:
            for hub in hubs:
                one_turn(browser, hub)
            for _ in range(TURNS):
                for hub, turns in zip(hubs, later):
                    turns.append(one_turn(browser, hub))

    def median(both_sides, which):
        return [peers.median([turn[which] for turn in side]) for side in both_sides]

    def row(what, pair, most=None):
        met = pair[0] <= most * pair[1] if most else None
        return peers.row(what, "s", pair[0], {"JupyterHub 6 + DockerSpawner": pair[1]}, f"≤ {most}" if most else "", met)

    ever, warm, again = median(first, 0), median(later, 0), median(later, 1)
    return {"rows": [row("click to usable launcher, an image's very first user", ever, 0.75),
                     row("click to usable launcher", warm, 0.6),
                     row("Lab again, in a browser that kept everything", again)],
            "berth_seconds": [took for took, _ in later[0]], "jupyterhub_seconds": [took for took, _ in later[1]],
            "first_ratio": ever[0] / ever[1], "ratio": warm[0] / warm[1]}
