"""Switches under load: what is lost, what they cost, and how long both colors answer."""

import time
from bisect import bisect_right

import load
import peers

BEFORE_S = 5
EVERY_S = 0.04
# An nginx that reloads has workers of several generations at once; more of them than this only add waiting.
NGINX_SWITCHES = 100
NGINX_EVERY_S = 0.25


def measure(world, report, switches, requests):
    ports = [peers.service(world, name) for name in ("blue", "green")]
    report.title("Switches under keep-alive load, 64 connections, a third of the requests POST")
    rows = []
    teal = peers.Teal(world, ports)
    figures = drive(world, teal, ports, switches, EVERY_S, requests)
    rows.append(row("Teal", switches, figures))
    teal.stop()
    nginx = peers.nginx(world, ports)
    theirs = drive(world, nginx, ports, min(switches, NGINX_SWITCHES), NGINX_EVERY_S, 0)
    rows.append(row("nginx reload", min(switches, NGINX_SWITCHES), theirs))
    nginx.stop()
    head = ["proxy", "switches", "requests", "lost", "p99 before ms", "p99 during ms"]
    report.table([*head, "old color after the switch", "longest overlap ms"], rows)
    report.say()
    enough = figures["requests"] >= requests and switches >= 1000
    report.goal("1,000 switches over 1 million requests", enough, f"{switches:,} over {figures['requests']:,}")
    none = not figures["lost"]
    report.goal("nothing lost", none, load.told(figures["lost"]))
    more = figures["during"] - figures["before"]
    report.goal("p99 during at most 8 ms above p99 before", more <= 8, f"{more:+.2f} ms")
    overlap = figures["overlap"]
    report.goal("overlap at most 1 ms", overlap <= 1, f"{overlap:.2f} ms (nginx {theirs['overlap']:.0f})")


def drive(world, peer, ports, switches, every, requests):
    """Loads the proxy, switches, and puts both together."""
    running = load.Load(world, peer.port, peer.name, requests=requests)
    time.sleep(BEFORE_S)
    moments = []
    for number in range(switches):
        color = 1 - number % 2
        began = load.now_ns()
        peer.switch(ports[color])
        exact = getattr(peer, "switched_at_ns", load.now_ns)()
        moments.append((exact, b"bg"[color], began))
        time.sleep(every)
    over = load.now_ns()
    record = running.stop()
    first = moments[0][2]
    before = [one for one in record if one[1] < first]
    during = [one for one in record if one[0] >= first and one[0] <= over]
    late, longest = overlap(record, moments)
    return {
        "requests": len(record),
        "lost": load.lost(record),
        "before": load.percentile_ms(before),
        "during": load.percentile_ms(during),
        "late": late,
        "overlap": longest,
    }


def overlap(record, moments):
    """How many requests that a client began after a switch were answered by the old color, and how long after it the
    last of them began, in ms."""
    at = [moment for moment, _, _ in moments]
    late, longest = 0, 0
    for begun, ended, outcome, _ in record:
        last = bisect_right(at, begun) - 1
        if last < 0 or outcome[0] not in b"bg" or outcome[0] == moments[last][1]:
            continue
        # A request that was still on its way when the next switch came may have been answered by that one's color.
        if last + 1 < len(at) and ended >= at[last + 1]:
            continue
        late += 1
        longest = max(longest, begun - at[last])
    return late, longest / 1e6


def row(name, switches, figures):
    return [
        name,
        f"{switches:,}",
        f"{figures['requests']:,}",
        load.told(figures["lost"]),
        f"{figures['before']:.2f}",
        f"{figures['during']:.2f}",
        figures["late"],
        f"{figures['overlap']:.2f}",
    ]
