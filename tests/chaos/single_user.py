# A notebook server in a few lines: answers under its prefix at once, echoes over WebSockets, says who it is, and eats
# memory when asked to. Runs with `python3 -c` in a container made of nothing but Debian and Python.
import base64, hashlib, http.server, json, os, signal, struct, sys, threading, urllib.request, uuid

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
BOOT, PREFIX, eaten = uuid.uuid4().hex, os.environ["JUPYTERHUB_SERVICE_PREFIX"], []


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, what, status=200):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if not path.startswith(PREFIX):
            return self.say({"message": "not mine"}, 404)
        path = path[len(PREFIX):]
        if path == "echo" and self.headers.get("Upgrade", "").lower() == "websocket":
            return self.echo()
        if path == "hub":
            return self.say(self.ask_hub())
        self.say({"boot": BOOT, "user": os.environ["JUPYTERHUB_USER"], "devices": os.environ.get("NVIDIA_VISIBLE_DEVICES", "")})
        if path == "eat":
            while True:
                eaten.append(bytearray(os.urandom(1 << 20)))

    def ask_hub(self):
        request = urllib.request.Request(os.environ["JUPYTERHUB_API_URL"] + "/user",
                                         headers={"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return {"status": answer.status, "name": json.load(answer).get("name")}
        except Exception as error:
            return {"status": getattr(error, "code", 0), "error": str(error)}

    def echo(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            mask, body = self.rfile.read(4), bytearray(self.rfile.read(head[1] & 127))
            for i in range(len(body)):
                body[i] ^= mask[i % 4]
            self.wfile.write(struct.pack("BB", 0x80 | (head[0] & 15), len(body)) + bytes(body))

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


Listener(("", 8888), Server).serve_forever()
