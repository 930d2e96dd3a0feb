"""A web app with nothing but Python's standard library. It says what version.txt says, and misbehaves as fault.txt says.

fault.txt holds one word, or is missing: exit, exit-after-first, error, unhealthy, hang, redirect, drip, other-port,
daemonise, ignore-term, grandchild.
"""
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def read(name):
    try:
        with open(name, encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


VERSION = read("version.txt") or "unversioned"
FAULT = read("fault.txt")
FOREVER = threading.Event()
IN_FLIGHT = threading.Condition()
requests = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet; otherwise the kernel waits 40 ms for the client to acknowledge the head.
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self, status, body, **headers):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        global requests
        with IN_FLIGHT:
            requests += 1
        try:
            self.respond()
            self.wfile.flush()
        finally:
            with IN_FLIGHT:
                requests -= 1
                IN_FLIGHT.notify()

    def respond(self):
        length = int(self.headers.get("Content-Length") or 0)
        received = self.rfile.read(length)
        health = self.path == "/api/health"
        if FAULT == "hang":
            FOREVER.wait()
        elif FAULT == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not FOREVER.wait(0.2):
                self.wfile.write(b".")
                self.wfile.flush()
        elif FAULT == "redirect":
            self.answer(302, "elsewhere\n", Location="/login")
        elif FAULT == "error" or (FAULT == "unhealthy" and health):
            self.answer(500, "the database is not there\n")
        elif health:
            self.answer(200, json.dumps({"status": "ok", "version": VERSION}) + "\n", Content_Type="application/json")
        elif self.path == "/env":
            shown = {k: v for k, v in os.environ.items() if k == "PORT" or k.startswith(("TEAL_", "APP_"))}
            self.answer(200, json.dumps(shown, sort_keys=True) + "\n")
        elif self.path == "/headers":
            self.answer(200, json.dumps(list(self.headers.items())) + "\n")
        elif self.path == "/hold":
            # Answers once somebody has made the file `go` beside version.txt.
            print("holding", flush=True)
            while not os.path.exists("go"):
                FOREVER.wait(0.01)
            self.answer(200, VERSION + "\n")
        elif self.path == "/echo":
            self.answer(200, received.decode("utf-8", "replace"))
        else:
            self.answer(200, VERSION + "\n")
        if FAULT == "exit-after-first":
            self.wfile.flush()
            os._exit(7)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    # serve() itself waits for what is in flight; idle keep-alive connections hold threads that nobody waits for.
    daemon_threads = True


def serve():
    port = int(os.environ["PORT"])
    server = Server(("127.0.0.1", 0 if FAULT == "other-port" else port), Handler)

    def stop(*_):
        print("stopping", flush=True)
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, signal.SIG_IGN if FAULT == "ignore-term" else stop)
    print(f"{VERSION} listens on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
    with IN_FLIGHT:
        IN_FLIGHT.wait_for(lambda: requests == 0)
    os._exit(0)


if FAULT == "exit":
    print("cannot read the configuration", file=sys.stderr, flush=True)
    sys.exit(3)
if FAULT == "daemonise" and os.fork() > 0:
    os._exit(0)
if FAULT == "daemonise":
    os.setsid()
if FAULT == "grandchild":
    subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
serve()
