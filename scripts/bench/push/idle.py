"""A server that has nothing to do: its memory, and how often it wakes up."""

import os
import time

import repos
from server import Server
from world import private_mb

SECONDS = 30


def measure(world, report, asked):
    report.title(f"An idle server, with one release live, over {SECONDS} s")
    server = Server(world, [("shop", "production", "main")])
    repository = repos.Repository(world, "shop", "small", server.variables)
    server.push(repository, "shop")
    time.sleep(5)
    pid = server.process.pid
    before = wake_ups(pid)
    time.sleep(SECONDS)
    # Threads that have ended meanwhile took their counts along.
    after = wake_ups(pid)
    rate = sum(count - before.get(thread, 0) for thread, count in after.items()) / SECONDS
    memory = private_mb(pid)
    report.goal("at most 20 MB", memory <= 20, f"{memory:.1f} MB private")
    report.goal("fewer than 5 wake-ups a second", rate < 5, f"{rate:.2f}")
    world.stop(server.process)


def wake_ups(pid):
    """How often each of its threads went to sleep by itself, which is how often it had woken up."""
    counts = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            counts[thread] = next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
    return counts
