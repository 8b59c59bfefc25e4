"""https by Berth itself: sign-in, Lab and a kernel through it, cookies that never travel in the clear."""

import shutil
import socket
import ssl

import pytest
import requests

from tests.support.certificates import make_certificate
from tests.support.ports import free_port
from tests.support.person import Person, wait_until


@pytest.fixture
def secure_hub(local_berth, folder):
    certificate, key = make_certificate(folder, "hub")
    port, plain = free_port(), free_port()
    hub = local_berth({"bind_url": f"https://127.0.0.1:{port}",
                       "tls": {"certificate": str(certificate), "key": str(key), "redirect_port": plain, "hsts": "30d"}},
                      start=False)
    hub.url, hub.verify, hub.plain_url = f"https://127.0.0.1:{port}", str(certificate), f"http://127.0.0.1:{plain}"
    return hub.start()


@pytest.mark.timeout(240)
def test_a_notebook_over_https(secure_hub):
    ann = secure_hub.person("ann")
    signed_in = ann.login()
    assert signed_in.status_code == 302
    cookies = signed_in.raw.headers.getlist("Set-Cookie")
    assert cookies and all("; Secure" in cookie for cookie in cookies), cookies
    page = ann.get("/hub/home")
    assert page.headers["Strict-Transport-Security"] == f"max-age={30 * 86400}"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    ann.started()
    lab = ann.open_lab()
    assert lab.status_code == 200 and "jupyter-config-data" in lab.text, lab.text[:300]
    assert lab.url.startswith(secure_hub.url)
    assert ann.kernel().run("6*7") == "42"


def test_http_is_sent_to_https_and_keeps_its_place(secure_hub):
    answer = requests.get(secure_hub.plain_url + "/hub/login?next=%2Fhub%2Fhome", allow_redirects=False, timeout=10)
    assert answer.status_code == 301
    assert answer.headers["Location"] == secure_hub.url + "/hub/login?next=%2Fhub%2Fhome"
    assert requests.get(answer.headers["Location"], verify=secure_hub.verify, timeout=10).status_code == 200


def test_every_page_names_one_script_nonce_of_its_own(secure_hub):
    seen = set()
    for _ in range(2):
        page = Person(secure_hub.url, "ann", verify=secure_hub.verify).get("/hub/login")
        policy = page.headers["Content-Security-Policy"]
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert page.text.count("<script") == page.text.count(f'nonce="{nonce}"') > 0
        assert "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy.split("script-src")[1]
        seen.add(nonce)
    assert len(seen) == 2


@pytest.mark.timeout(240)
def test_a_renewed_certificate_leaves_a_kernel_connected(secure_hub, folder):
    ann = secure_hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    kernel = ann.kernel()
    assert kernel.run("kept = 6*7") == ""
    port = int(secure_hub.url.rsplit(":", 1)[1])

    def shown():
        with socket.create_connection(("127.0.0.1", port), 10) as plain, \
                ssl._create_unverified_context().wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True)

    before = shown()
    for path, fresh in zip((folder / "hub.crt", folder / "hub.key"), make_certificate(folder, "renewed")):
        shutil.move(fresh, path)
    wait_until("the new certificate is shown", lambda: shown() != before, 30)
    assert kernel.run("kept") == "42", "over the connection that was open before"


def test_a_browser_signs_in_over_https(secure_hub):
    playwright = pytest.importorskip("playwright")
    assert playwright
    from tests.support import browser as browsers
    with browsers.chromium() as browser:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        browsers.sign_in(page, secure_hub.url, "ann", "pw", "/hub/home")
        assert page.url == secure_hub.url + "/hub/home"
        page.wait_for_selector("#logout")
        assert all(cookie["secure"] for cookie in context.cookies()), context.cookies()
        assert not complaints, complaints  # a script that the policy forbids would be one
