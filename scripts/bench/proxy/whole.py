"""A whole server with an app that was pushed twice: killed under load, and rolled back."""

import os
import signal
import statistics
import subprocess
import time

import load
from world import HOST, free_port, private_mb, processes

ROLLBACKS = 20

CONFIG = """
state_dir = "{dir}/state"
apps_dir = "{dir}/srv"
listen = "127.0.0.1:{server}"
[proxy]
listen = ["127.0.0.1:{port}"]
[apps.bench.environments.production]
branch = "main"
domain = "{host}"
ports = {{ blue = {blue}, green = {green} }}
observe = "200ms"
keep_warm = "10m"
"""

RECIPE = """
[run]
web = "exec {load} service --listen 127.0.0.1:$PORT --name $(cat name)"
"""


class Server:
    """`teal serve` in a folder of its own."""

    def __init__(self, world):
        self.world, self.port, self.listen = world, free_port(), free_port()
        text = CONFIG.format(
            dir=world.dir,
            server=self.listen,
            port=self.port,
            host=HOST,
            blue=free_port(),
            green=free_port(),
        )
        self.config = world.write("teal.toml", text)
        self.environment = {**os.environ, "HOME": world.dir, "GIT_CONFIG_GLOBAL": "/dev/null"}
        self.teal("init")
        self.process = self.serve()

    def serve(self):
        words = (self.world.teal, "--config", self.config, "serve")
        return self.world.start(*words, port=self.listen, env=self.environment)

    def teal(self, *words):
        return self.run(self.world.teal, "--config", self.config, *words)

    def run(self, *words, **options):
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=120, **options
        )
        if done.returncode != 0:
            raise SystemExit(f"{words} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def push(self, name):
        folder = self.world.path("app")
        if not os.path.exists(folder):
            self.run("git", "init", "-q", "-b", "main", folder)
        self.world.write("app/.teal.toml", RECIPE.format(load=self.world.load))
        self.world.write("app/name", name)
        who = ("-c", "user.name=bench", "-c", "user.email=bench@bench.test")
        self.run("git", "add", "-A", cwd=folder)
        self.run("git", *who, "commit", "-q", "-m", name, cwd=folder)
        repository = self.world.path("state", "repos", "bench.git")
        # The push returns when the release is live.
        self.run("git", "push", "-q", repository, "main", cwd=folder)


def measure(world, report):
    server = Server(world)
    server.push("alpha")
    server.push("beta")
    killed(report, server)
    rolled_back(report, server)
    figure = supervisor_mb(world)
    report.title("Memory of a supervisor")
    report.goal("at most 3 MB private", figure <= 3, f"{figure:.1f} MB")
    world.stop(server.process)


def killed(report, server):
    running = load.Load(server.world, server.port, "killed")
    for _ in range(3):
        time.sleep(1)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        time.sleep(1)
        server.process = server.serve()
    record = running.stop()
    report.title("`kill -9` of the server under load, three times")
    lost = load.lost(record)
    report.goal("nothing refused, nothing lost", not lost, f"{load.told(lost)} of {len(record):,} requests")


def rolled_back(report, server):
    """From the start of the command's process to the moment the last request began that the old release answered."""
    took = []
    lost = {}
    for number in range(ROLLBACKS):
        # Eight visitors who ask every two milliseconds: enough to see the last old answer, and no race for the processor.
        name = f"rollback-{number}"
        running = load.Load(server.world, server.port, name, connections=8, pause=2)
        time.sleep(0.3)
        typed = load.now_ns()
        server.teal("rollback", "production")
        record = running.stop()
        for kind, count in load.lost(record).items():
            lost[kind] = lost.get(kind, 0) + count
        old = record[0][2]
        if record[-1][2] == old:
            raise SystemExit("the rollback did not change who answers")
        took.append((max(one[1] for one in record if one[2] == old) - typed) / 1e6)
    took.sort()
    report.title(f"`teal rollback` typed to the last answer of the old release, warm, {ROLLBACKS} times")
    middle = statistics.median(took)
    figure = f"median {middle:.0f} ms, {took[0]:.0f} to {took[-1]:.0f} ms"
    report.goal("at most 50 ms", middle <= 50, figure)
    report.goal("nothing lost", not lost, load.told(lost))


def supervisor_mb(world):
    """The largest of the supervisors that run."""
    found = []
    for pid, _ in processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                text = words.read()
        except OSError:
            continue
        if b"\0supervise\0" in text and world.dir.encode() in text:
            found.append(private_mb(pid))
    return max(found)
