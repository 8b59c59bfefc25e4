"""Where notices arrive in tests: a real SMTP server, and a web server that takes POSTs."""

import email
import email.policy
import http.server
import json
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from .ports import free_port


class PostBox:
    """An SMTP server; `mails` are the parsed messages, each with its envelope's receiver in X-To."""

    def __init__(self, account=None, certificate=None):
        self.mails = []
        self.account = account
        more = {}
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            more = {"tls_context": context, "require_starttls": True}
        if account:
            more |= {"authenticator": self.check, "auth_required": True, "auth_require_tls": bool(certificate)}
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), **more)
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{self.controller.port}"

    def check(self, _server, _session, _envelope, _mechanism, data):
        good = (data.login.decode(), data.password.decode()) == self.account
        return AuthResult(success=good, handled=good)

    async def handle_DATA(self, _server, _session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail["X-To"] = ", ".join(envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 OK"

    def to(self, address):
        return [(mail["Subject"], mail.get_content()) for mail in list(self.mails) if mail["X-To"] == address]

    def close(self):
        self.controller.stop()


class Webhook:
    """Takes JSON; answers the statuses of `answers` one after the other, then 204."""

    def __init__(self, answers=(), certificate=None):
        self.taken, self.refused = [], []
        left = list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = left.pop(0) if left else 204
                (outer.taken if status < 300 else outer.refused).append((body, self.headers.get("Authorization")))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, user):
        return [(body["event"], body) for body, _ in list(self.taken) if body["user"] == user]

    def events(self, user):
        return [event for event, _ in self.of(user)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
