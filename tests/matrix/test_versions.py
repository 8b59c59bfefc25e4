"""The version matrix: unmodified jupyterhub-singleuser of five JupyterHub lines, real packages, one test a line.

What is checked: Lab opens, a kernel answers, a terminal opens, activity arrives, sign-out
ends access, a second user is refused, a token of the user works against the server's own API.
"""

import pytest
import requests

from tests.support import venvs
from tests.support.person import wait_until


@pytest.mark.timeout(240)
@pytest.mark.parametrize("version", list(venvs.JUPYTERHUB_VERSIONS))
def test_singleuser_of(version, hub_with_singleuser):
    hub = hub_with_singleuser(str(venvs.jupyterhub(version) / "jupyterhub-singleuser"))
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started()

    lab = ann.open_lab()
    assert lab.status_code == 200, lab.text[:500]
    assert "jupyter-config-data" in lab.text, "the page is not JupyterLab's"
    assert lab.url.startswith(hub.url + "/user/ann/lab")

    kernel = ann.kernel()
    assert kernel.run("1+1") == "2"
    assert "berth-42" in ann.terminal_echo("berth")

    before = hub.server("ann")["last_activity"]
    kernel.run("print('busy')")
    wait_until("the server reports activity", lambda: hub.server("ann")["last_activity"] != before, 30, pause=0.3)

    # Somebody else, signed in at the hub, is not let in: the hub refuses, or the server does.
    refused = bob.open_lab(of="ann")
    assert refused.status_code in (403, 404), f"bob got {refused.status_code} for ann's Lab"
    assert bob.server_api("GET", "api/kernels", of="ann").status_code == 403

    token = ann.hub_api("POST", "/users/ann/tokens", json={"note": "script"}).json()["token"]
    mine = {"Authorization": f"token {token}"}
    with_token = requests.get(f"{hub.url}/user/ann/api/kernels", headers=mine, timeout=30)
    assert with_token.status_code == 200 and with_token.json()[0]["id"] == kernel.id
    wrong = requests.get(f"{hub.url}/user/ann/api/kernels", headers={"Authorization": "token 0123456789abcdef"},
                         timeout=30)
    assert wrong.status_code == 403

    kernel.close()
    ann.logout()
    after = ann.server_api("GET", "api/kernels")
    assert after.status_code in (401, 403), f"after sign-out the server answered {after.status_code}"
    page = ann.open_lab()
    assert "/hub/login" in page.url, f"after sign-out Lab opened at {page.url}"
