"""A server to be looked at: three apps with five environments, their history, and visitors, in a temporary folder."""
import json
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from browser import free_port

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "tests/apps/python/app.py"
DAY = 24 * 3600 * 1000

ENVIRONMENTS = [
    ("notebook", "production", "main", "notebook.example.com"),
    ("notebook", "staging", "develop", "staging.notebook.example.com"),
    ("shop", "production", "main", "shop.example.com"),
    ("shop", "staging", "develop", "staging.shop.example.com"),
    ("website", "production", "main", "www.example.com"),
]

# Releases of this one wait for a yes.
ASKS = ("website", "production")

BUILD = r"""
import sys, time
tell = lambda text, pause=0.02: (print(text, flush=True), time.sleep(pause))
tell("\033[1mbuilding\033[0m for production")
for name in ("index", "account", "basket", "search", "checkout", "orders", "invoice"):
    tell(f"  \033[2mdist/assets/\033[0m\033[36m{name}-4f2c.js\033[0m   \033[2m{len(name) * 7.3:.2f} kB\033[0m")
tell("\033[33mwarning\033[0m <Basket> is larger than 50 kB & could be split")
if "broken" in open("version.txt").read():
    tell("\033[31merror\033[0m src/basket.ts:41: Property 'total' does not exist on type 'Basket'")
    sys.exit(2)
tell("\033[32mbuilt in 412 ms\033[0m")
"""

SUBJECTS = [
    "Show prices with tax", "Speed the search up", "Fix the login form on phones", "Send receipts by mail",
    "Let people change their address", "Keep the basket over a restart", "Add a dark theme", "Say why a card was refused",
]


class World:
    """Ends everything that it started, and removes its folder."""

    def __init__(self, teal):
        self.teal = Path(teal)
        self.folder = Path(tempfile.mkdtemp(prefix="teal-look-"))
        self.listen = free_port()
        self.proxy = free_port()
        self.config = self.folder / "teal.toml"
        self.random = random.Random(7)
        self.server = None
        self.over = threading.Event()
        self.write_config()
        self.command("init")
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.stop()
        mine = str(self.folder)
        for process in Path("/proc").iterdir():
            # Services and the proxy outlive the server; they are known by this folder in their command line or as their own.
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace")
                if process.name.isdigit() and (mine in words or os.readlink(process / "cwd").startswith(mine)):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_config(self):
        text = (
            f'state_dir = "{self.folder}/state"\napps_dir = "{self.folder}/srv"\nlisten = "127.0.0.1:{self.listen}"\n'
            f'build_slots = 2\n\n[proxy]\nlisten = ["127.0.0.1:{self.proxy}"]\n'
        )
        for app, env, branch, domain in ENVIRONMENTS:
            text += (
                f'\n[apps.{app}.environments.{env}]\nbranch = "{branch}"\ndomain = "{domain}"\nobserve = "3s"\n'
                f"ports = {{ blue = {free_port()}, green = {free_port()} }}\n"
            )
        head = f"[apps.{ASKS[0]}.environments.{ASKS[1]}]\n"
        text = text.replace(head, head + 'approval = { by = "ann" }\n')
        # Whoever runs this is ann, and can say yes by a command.
        text += f'\n[people.ann]\nunix = "{pwd.getpwuid(os.getuid()).pw_name}"\n'
        self.config.write_text(text)

    def start(self):
        self.server = subprocess.Popen(
            [self.teal, "--config", self.config, "serve"], stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "a")
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.listen}/healthz", timeout=5)
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit((self.folder / "log").read_text())

    def stop(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
            self.server = None

    def command(self, *words, check=True):
        done = subprocess.run([self.teal, "--config", self.config, *words], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise SystemExit(f"teal {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def git(self, app, *words, who="ann"):
        env = os.environ | {
            "GIT_AUTHOR_NAME": who, "GIT_COMMITTER_NAME": who, "GIT_AUTHOR_EMAIL": f"{who}@example.com",
            "GIT_COMMITTER_EMAIL": f"{who}@example.com", "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        done = subprocess.run(["git", *words], cwd=self.folder / app, env=env, capture_output=True, text=True)
        return done.stdout + done.stderr

    def make_app(self, app):
        folder = self.folder / app
        folder.mkdir()
        self.git(app, "init", "-q", "-b", "main")
        shutil.copy(APP, folder / "app.py")
        (folder / "build.py").write_text(BUILD)
        (folder / ".teal.toml").write_text(
            '[build]\nbuild = "python3 build.py"\n\n[run]\nweb = "exec python3 -u app.py"\n\n'
            '[health]\npath = "/api/health"\nexpect = { status = "ok" }\n'
        )
        self.git(app, "remote", "add", "server", f"{self.folder}/state/repos/{app}.git")

    def commit(self, app, subject, who="ann", version=None):
        (self.folder / app / "version.txt").write_text((version or subject) + "\n")
        self.git(app, "add", "-A")
        self.git(app, "commit", "-q", "-m", subject, who=who)

    def push(self, app, branch):
        return self.git(app, "push", "server", f"+HEAD:{branch}")

    def visitors(self):
        """Asks every environment all the time, more often and less often."""

        def ask(domain, pause):
            while not self.over.is_set():
                request = urllib.request.Request(f"http://127.0.0.1:{self.proxy}/", headers={"Host": domain})
                try:
                    urllib.request.urlopen(request, timeout=5).read()
                except OSError:
                    pass
                self.over.wait(pause)

        for number, (_, _, _, domain) in enumerate(ENVIRONMENTS):
            for _ in range(2):
                threading.Thread(target=ask, args=(domain, 0.02 + 0.01 * number), daemon=True).start()

    def build_history(self):
        people = ["ann", "ben", "cleo"]
        for app in ("notebook", "shop", "website"):
            self.make_app(app)
            self.commit(app, "The first release")
            self.push(app, "main")
            if app == ASKS[0]:
                self.command("approve", str(self.newest("approval")))
                self.wait_for(app, "live")
            else:
                self.push(app, "develop")
        for turn, subject in enumerate(SUBJECTS):
            app = ("notebook", "shop")[turn % 2]
            self.commit(app, subject, people[turn % 3])
            self.push(app, "develop")
            if turn % 4 != 3:
                self.push(app, "main")
        self.commit("shop", "Split the basket (broken)", "ben", "broken")
        self.push("shop", "develop")
        self.command("rollback", "notebook/production")

    def wait_for(self, app, state):
        for _ in range(300):
            newest = json.loads(self.command("history", f"{app}/production", "-n", "1", "--json"))
            if newest and newest[0]["state"] == state:
                return
            time.sleep(0.1)
        raise SystemExit(f"{app} was never {state}")

    def ask(self):
        """Leaves a release that waits for a yes."""
        self.commit(ASKS[0], "Say what delivery costs", "ben")
        self.push(ASKS[0], "main")

    def spread_over_weeks(self):
        """Makes the history as long as it would be: rows are moved back in time while the server is stopped."""
        self.stop()
        database = sqlite3.connect(self.folder / "state/teal.db")
        rows = database.execute("SELECT id, body FROM deployments ORDER BY id").fetchall()
        now = int(time.time() * 1000)
        for place, (number, body) in enumerate(rows):
            back = int((len(rows) - 1 - place) ** 1.4 * 0.21 * DAY) + 14 * 60_000
            deployment = json.loads(body)
            slower = self.random.uniform(4, 22)
            shift = now - back - deployment["created_ms"]
            start = deployment["created_ms"]
            deployment["by"] = ("ann", "ben", "cleo")[number % 3]
            for key in ("created_ms", "started_ms", "switched_ms", "ended_ms"):
                if deployment.get(key) is not None:
                    deployment[key] = int(start + (deployment[key] - start) * slower + shift)
            cutover = database.execute("SELECT body FROM cutovers WHERE deployment = ?", (number,)).fetchone()
            if cutover:
                intervals = json.loads(cutover[0])
                switched = json.loads(body)["switched_ms"]
                for interval in intervals:
                    interval["at_ms"] += deployment["switched_ms"] - switched
                database.execute(
                    "UPDATE cutovers SET body = ? WHERE deployment = ?", (json.dumps(intervals), number)
                )
            database.execute(
                "UPDATE deployments SET body = ?, created_ms = ? WHERE id = ?",
                (json.dumps(deployment), deployment["created_ms"], number),
            )
        database.commit()
        database.close()
        self.start()

    def newest(self, state):
        """The number of the newest deployment in this state."""
        history = json.loads(self.command("history", "-n", "100", "--json"))
        return next(one["id"] for one in history if one["state"] == state and one["kind"] == "deploy")
