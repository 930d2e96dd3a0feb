"""`teal serve` in a folder of its own, what is pushed to it, and where the time went."""

import json
import os
import subprocess
import time

from world import free_port

TOP = """
state_dir = "{dir}/state"
apps_dir = "{dir}/srv"
listen = "127.0.0.1:{listen}"
build_slots = 2
{top}
[proxy]
listen = ["127.0.0.1:{port}"]
"""

ENVIRONMENT = """
[apps.{app}.environments.{name}]
branch = "{branch}"
domain = "{name}.{app}.test"
ports = {{ blue = {blue}, green = {green} }}
observe = "1ms"
drain = "5s"
keep_warm = "1ms"
reconcile = "0s"
"""


class Server:
    """One server with these apps; `environments` are (app, name, branch)."""

    def __init__(self, world, environments, top="", apps=None):
        self.world, self.port, self.listen = world, free_port(), free_port()
        self.top, self.apps, self.environments = top, apps or {}, list(environments)
        self.ports, self.taken = {}, {self.port, self.listen}
        self.config = world.path("teal.toml")
        self.variables = {**os.environ, "HOME": world.dir, "GIT_CONFIG_GLOBAL": "/dev/null"}
        self.configure()
        self.teal("init")
        self.process = self.serve()

    def configure(self):
        text = TOP.format(dir=self.world.dir, listen=self.listen, port=self.port, top=self.top)
        for app, lines in self.apps.items():
            text += f"\n[apps.{app}]\n{lines}\n"
        for app, name, branch in self.environments:
            blue, green = self.ports.get((app, name)) or (self.port_of_its_own(), self.port_of_its_own())
            self.ports[app, name] = blue, green
            text += ENVIRONMENT.format(app=app, name=name, branch=branch, blue=blue, green=green)
        self.world.write("teal.toml", text)

    def port_of_its_own(self):
        """The system gives the same free port twice."""
        while (port := free_port()) in self.taken:
            pass
        self.taken.add(port)
        return port

    def serve(self):
        words = (self.world.teal, "--config", self.config, "serve")
        return self.world.start(*words, port=self.listen, env=self.variables)

    def teal(self, *words):
        done = subprocess.run(
            (self.world.teal, "--config", self.config, *words),
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise SystemExit(f"teal {words} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def settled(self):
        """Whether nothing runs, and the old release of the last switch has been stopped."""
        for env in json.loads(self.teal("status", "--json"))["environments"]:
            old = [slot["processes"] for slot in env["slots"] if slot["color"] != env["active"]]
            if env["open"] or any(old):
                return False
        return True

    def push(self, repository, app, refspec="main"):
        """Pushes; the trace of the deployment that it made, with all times counted from the first byte typed."""
        self.world.wait("the last deployment has settled", self.settled)
        place = self.world.path("state", "repos", f"{app}.git")
        typed_ms = time.time() * 1000
        repository.git("push", "-q", place, refspec)
        return self.trace(typed_ms)

    def command(self, *words):
        """The same for a command such as `teal promote`."""
        self.world.wait("the last deployment has settled", self.settled)
        typed_ms = time.time() * 1000
        self.teal(*words)
        return self.trace(typed_ms)

    def trace(self, typed_ms):
        last = json.loads(self.teal("history", "-n", "1", "--json"))[0]
        if last["state"] != "live":
            raise SystemExit(f"not live: {last}")
        trace = json.loads(self.teal("logs", str(last["id"]), "--timing", "--json"))
        trace["wall_ms"] = last["switched_ms"] - typed_ms
        # What neither the app's own commands nor its start took: git, the hook, the queue and every step.
        trace["overhead_ms"] = trace["wall_ms"] - trace["app_ms"]
        trace["commands_ms"] = sum(
            step["app_ms"] for step in trace["steps"] if step["step"] in ("deps", "build", "test", "migrate")
        )
        return trace


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
