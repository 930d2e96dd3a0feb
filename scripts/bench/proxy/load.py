"""The load client, and what its record says."""

import array
import struct
import subprocess
import time

LOST = {"C": "refused", "R": "reset", "T": "silent", "5": "status", "W": "wrong"}


class Load:
    """Requests that go on until they are stopped."""

    def __init__(self, world, port, name, requests=0, at_most=180, connections=64, pause=0):
        self.world, self.record = world, world.path(name + ".record")
        words = ["--target", f"127.0.0.1:{port}", "--connections", str(connections)]
        words += ["--requests", str(requests), "--at-most", str(at_most), "--record", self.record]
        words += ["--pause", str(pause)]
        self.process = run(world, "drive", *words)
        said(self.process, "begun")

    def stop(self):
        """Ends it; every request as (begun, ended, outcome, method), times in nanoseconds."""
        self.process.stdin.close()
        said(self.process, "ended")
        self.process.wait(30)
        with open(self.record, "rb") as record:
            return list(struct.iter_unpack("<QQcc6x", record.read()))


def run(world, *words):
    return world.start(
        world.load, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process, expected):
    line = process.stdout.readline().strip()
    if line != expected:
        raise SystemExit(f"the load said {line!r} instead of {expected!r}")


def lost(requests):
    """How many got no answer, a wrong one, or an error, by kind and method."""
    counts = {}
    for _, _, outcome, method in requests:
        letter = outcome.decode()
        if letter in LOST:
            kind = f"{LOST[letter]} {'POST' if method == b'P' else 'GET'}"
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def told(counts):
    total = sum(counts.values())
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return f"{total} ({parts})" if parts else "0"


def percentile_ms(requests, percent=99):
    times = array.array("Q", sorted(ended - begun for begun, ended, _, _ in requests))
    return times[min(len(times) - 1, len(times) * percent // 100)] / 1e6 if times else 0.0


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
