"""Webhooks: signed pushes, stored durably before they are answered, and forged ones that are refused."""

import json
import os
import shutil
import socket
import subprocess

from server import Server
from world import cpu_seconds, free_port

SECRET = "correct horse battery staple"
SECONDS = 5


def measure(world, report, asked):
    report.title("Webhooks of 10 KB over 64 connections")
    world.write("secret", SECRET)
    os.chmod(world.path("secret"), 0o600)
    # A forge that takes the connection and is slow to answer: the deployment that was begun waits for it.
    forge = socket.create_server(("127.0.0.1", 0))
    lines = f'forge = "github"\nrepo = "http://127.0.0.1:{forge.getsockname()[1]}/bench/bench.git"\n'
    lines += f'webhook_secret = {{ file = "{world.path("secret")}" }}\n'
    server = Server(world, [("bench", "production", "main")], apps={"bench": lines})
    target = ["--target", f"127.0.0.1:{server.listen}", "--path", "/hooks/bench"]
    rows = []
    idle = resident_mb(server.process.pid)
    pid = server.process.pid
    aside = deliver(world, target, "--ref-name", "refs/heads/feature", pid=pid)
    rows.append(row("Teal: stored, of a branch that is not deployed", aside))
    live = deliver(world, target, pid=pid)
    rows.append(row("Teal: stored and queued, of a branch that is deployed", live))
    memory = resident_mb(server.process.pid)
    forged = deliver(world, target, "--forged", pid=pid)
    rows.append(row("Teal: forged, refused", forged))
    peer = webhook(world)
    if peer:
        rows.append(row("adnanh/webhook: signed, nothing stored, runs `true`", peer[0]))
        rows.append(row("adnanh/webhook: forged, refused", peer[1]))
    report.table(["", "per second", "p50", "p99", "longest", "CPU of each", "answers"], rows)
    report.say()
    good = {"200", "202"}
    for words, figures in (("aside", aside), ("deployed", live)):
        rate, p99 = figures["per_second"], figures["p99_ms"]
        report.goal(f"{words}: at least 5,000 a second", rate >= 5000, f"{rate:,.0f}")
        report.goal(f"{words}: p99 at most 50 ms", p99 <= 50, f"{p99:.1f} ms")
        report.goal(f"{words}: every one is taken", set(figures["answers"]) <= good, figures["answers"])
    report.goal("resident memory at most 64 MB", memory <= 64, f"{memory:.1f} MB ({idle:.1f} before)")
    rate = forged["per_second"]
    report.goal("forged: at least 20,000 refused a second", rate >= 20_000, f"{rate:,.0f}")
    if peer:
        report.say(f"- adnanh/webhook's resident memory: {peer[2]:.0f} MB")
    else:
        report.say("- adnanh/webhook is not installed here (apt-get install webhook)")
    world.stop(server.process)


def deliver(world, target, *words, pid):
    """Delivers; what the load said, and what each delivery cost the receiver, which a busy machine does not change much."""
    command = [world.load, "deliver", *target, "--secret", SECRET, "--seconds", str(SECONDS), *words]
    before = cpu_seconds(pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = json.loads(said)
    count = max(1, sum(figures["answers"].values()))
    return {**figures, "cpu_us": (cpu_seconds(pid) - before) / count * 1e6}


def row(words, figures):
    answers = ", ".join(f"{count:,} x {status}" for status, count in figures["answers"].items())
    times = [f"{figures[name]:.1f} ms" for name in ("p50_ms", "p99_ms", "max_ms")]
    cpu = f"{figures['cpu_us']:.0f} µs"
    return [words, f"{figures['per_second']:,.0f}", *times, cpu, answers]


def webhook(world):
    """The same deliveries to adnanh/webhook, which checks the signature and runs a command."""
    if shutil.which("webhook") is None:
        return None
    signature = {"source": "header", "name": "X-Hub-Signature-256"}
    rule = {"match": {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": signature}}
    hook = {"id": "bench", "execute-command": "/bin/true", "trigger-rule": rule}
    hook["trigger-rule-mismatch-http-response-code"] = 403
    world.write("hooks.json", json.dumps([hook]))
    port = free_port()
    words = ("webhook", "-hooks", world.path("hooks.json"), "-ip", "127.0.0.1", "-port", str(port))
    process = world.start(*words, port=port)
    target = ["--target", f"127.0.0.1:{port}", "--path", "/hooks/bench"]
    signed = deliver(world, target, pid=process.pid)
    memory = resident_mb(process.pid)
    forged = deliver(world, target, "--forged", pid=process.pid)
    world.stop(process)
    return signed, forged, memory


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
