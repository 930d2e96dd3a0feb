"""As a reverse proxy beside nginx, HAProxy and Caddy: 64 connections kept alive, answers of 1 KB and of 100 KB."""

import re
import statistics
import subprocess

import peers
from world import HOST, cpu_seconds

ROUNDS = 3
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def measure(world, report, seconds):
    service = peers.static_service(world)
    kinds = (peers.Teal, peers.nginx, peers.haproxy, peers.caddy)
    running = [kind(world, [service]) for kind in kinds]
    for path in ("1k", "100k"):
        runs = {peer.name: [] for peer in running}
        # In turns, so that whatever else the machine does meets all of them.
        for _ in range(ROUNDS):
            for peer in running:
                runs[peer.name].append(once(peer, path, seconds))
        medians = {
            name: [statistics.median(figures) for figures in zip(*all_of_it)]
            for name, all_of_it in runs.items()
        }
        show(report, path, medians)
    for peer in running:
        peer.stop()


def once(peer, path, seconds):
    """Requests per second, the 50th and the 99th percentile in ms, requests per CPU second, and errors."""
    url = f"http://127.0.0.1:{peer.port}/{path}"
    words = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", "-H", f"Host: {HOST}", url]
    before = cpu_seconds(peer.pid)
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 30, check=True)
    used = cpu_seconds(peer.pid) - before
    text = done.stdout
    count = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text)))
    return rate, latency(text, 50), latency(text, 99), count / max(used, 0.01), errors


def latency(text, percent):
    number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def show(report, path, medians):
    report.title(f"Reverse proxy, {path}, 64 connections, median of {ROUNDS} rounds")
    rate, _, _, per_cpu, _ = medians["nginx"]
    rows = [
        [
            name,
            f"{its_rate:,.0f}",
            f"{its_rate / rate:.2f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{its_cpu:,.0f}",
            f"{its_cpu / per_cpu:.2f}",
            f"{errors:.0f}",
        ]
        for name, (its_rate, p50, p99, its_cpu, errors) in medians.items()
    ]
    head = ["proxy", "requests/s", "of nginx", "p50 ms", "p99 ms"]
    report.table([*head, "requests per CPU second", "of nginx", "errors"], rows)
    report.say()
    teal, nginx, caddy = (medians[name] for name in ("Teal", "nginx", "Caddy"))
    share = teal[3] / nginx[3]
    report.goal("60 % of nginx per CPU second", share >= 0.6, f"{share:.0%}")
    times = teal[3] / caddy[3]
    report.goal("twice Caddy per CPU second", times >= 2, f"{times:.1f} times")
    report.goal("p99 no worse than nginx", teal[2] <= nginx[2], f"{teal[2]:.2f} against {nginx[2]:.2f} ms")
