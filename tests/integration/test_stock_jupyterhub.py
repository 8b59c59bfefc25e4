"""Stock JupyterHub 6 (real package, no patch) with `berth proxy` in configurable-http-proxy's place.

The hub starts the program itself, with its own flags and token, watches it, and starts it again when it ends.
"""

import os
import pathlib
import signal

import psutil
import pytest
import requests

from tests.support import hub as hubs
from tests.support.person import wait_until


@pytest.fixture
def stock_with(folder, singleuser, request):
    """stock_with({trait: value}) gives a hub that serves."""
    if not pathlib.Path(hubs.berth_binary()).exists():
        pytest.skip(f"{hubs.berth_binary()} is not built (./run --build)")
    request.node.berth_hubs = []

    def make(traits):
        hub = hubs.JupyterHub(folder / "hub", singleuser, proxy=[hubs.berth_binary(), "proxy"], traits=traits)
        request.node.berth_hubs.append(hub)
        return hub.start()
    yield make
    for hub in request.node.berth_hubs:
        hub.clean_up()


@pytest.fixture
def stock(stock_with):
    return stock_with({})


def proxy_of(hub) -> psutil.Process:
    """The hub gives it a session of its own, so it is looked for by what it runs."""
    port = hub.url.rsplit(":", 1)[1]
    for one in psutil.Process(hub.process.pid).children(recursive=True):
        if one.cmdline()[:2] == [hubs.berth_binary(), "proxy"] and port in one.cmdline():
            return one
    raise AssertionError("the hub runs no berth proxy")


def routes_of(hub) -> set[str]:
    return set(hub.api("GET", "/proxy").json())


@pytest.mark.timeout(240)
def test_serves_lab_and_survives_its_own_death(stock):
    first = proxy_of(stock)
    assert routes_of(stock) == {"/"}

    ann = stock.person("ann").signed_in()
    ann.started()
    assert routes_of(stock) == {"/", "/user/ann/"}
    lab = ann.open_lab()
    assert lab.status_code == 200 and "jupyter-config-data" in lab.text, lab.text[:500]
    kernel = ann.kernel()
    assert kernel.run("6*7") == "42"

    # What has no route of its own is the hub's.
    assert "/hub/login" in requests.get(stock.url + "/user/nobody/lab", timeout=30).url

    os.kill(first.pid, signal.SIGKILL)
    def answers_again():
        try:
            return ann.server_api("GET", "api/status").status_code == 200
        except requests.RequestException:
            return False
    wait_until("the new proxy has the server's route again", answers_again, 60)
    assert proxy_of(stock).pid != first.pid
    assert ann.kernel().run("1+1") == "2"

    assert ann.stop().status_code in (202, 204)
    ann.wait_stopped()
    wait_until("the route is deleted", lambda: routes_of(stock) == {"/"}, 30)
    gone = ann.server_api("GET", "api/status")
    assert gone.status_code == 424, f"a stopped server answered {gone.status_code}"


def test_ends_with_its_hub(stock):
    proxy = proxy_of(stock)
    stock.stop()
    wait_until("the proxy is gone", lambda: not proxy.is_running(), 15)


@pytest.mark.timeout(240)
def test_internal_ssl(stock_with, folder):
    """Hub, proxy and servers speak TLS among themselves, each with a certificate that the others ask for."""
    hub_port, api_port = hubs.free_ports(2)
    stock = stock_with({
        "JupyterHub.internal_ssl": True, "JupyterHub.internal_certs_location": str(folder / "certs"),
        "JupyterHub.hub_bind_url": f"https://127.0.0.1:{hub_port}",
        "ConfigurableHTTPProxy.api_url": f"https://127.0.0.1:{api_port}"})
    flags = proxy_of(stock).cmdline()
    assert {"--api-ssl-request-cert", "--client-ssl-ca"} <= set(flags), flags
    ann = stock.person("ann").signed_in()
    ann.started()
    targets = [route["target"] for route in stock.api("GET", "/proxy").json().values()]
    assert all(target.startswith("https://") for target in targets), targets
    assert ann.open_lab().status_code == 200
    assert ann.kernel().run("6*7") == "42"
    with pytest.raises(requests.RequestException):
        requests.get(f"https://127.0.0.1:{api_port}/api/routes", verify=False, timeout=10)
