"""The proxy replaced by another process while requests go on."""

import time

import load
import peers

TIMES = 10


def measure(world, report):
    ports = [peers.service(world, name) for name in ("blue", "green")]
    teal = peers.Teal(world, ports, "replaced")
    running = load.Load(world, teal.port, "replaced")
    time.sleep(1)
    for _ in range(TIMES):
        # The old process ends by itself as soon as its last request has its answer.
        teal.process = teal.another()
        time.sleep(0.5)
    record = running.stop()
    teal.stop()
    report.title(f"The proxy replaced {TIMES} times under load, 64 connections")
    lost = load.lost(record)
    report.goal("nothing refused, nothing lost", not lost, f"{load.told(lost)} of {len(record):,} requests")
