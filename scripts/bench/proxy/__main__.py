"""Benchmarks of Teal's proxy beside nginx, HAProxy and Caddy; prints what was measured as Markdown.

    python3 scripts/bench/proxy                      everything, about eight minutes
    python3 scripts/bench/proxy --only memory whole  parts of it

Installs nginx, haproxy, caddy and wrk with apt when they are missing and it may, and builds what it measures.
"""

import sys

# The folder of the sources stays as it is.
sys.dont_write_bytecode = True

import argparse
import os
import resource
import shutil
import subprocess

import memory
import replacing
import sockets
import switching
import throughput
import whole
from report import Report
from world import World

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PROGRAMS = ("nginx", "haproxy", "caddy", "wrk", "git")
PARTS = ("throughput", "switching", "sockets", "replacing", "memory", "whole")


def main():
    asked = arguments()
    os.environ["PATH"] += ":/usr/sbin:/sbin:" + os.path.expanduser("~/.cargo/bin")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    install()
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    if not asked.no_build:
        build = ["cargo", "build", "--release", "--bins", "--example", "load"]
        subprocess.run(build, cwd=ROOT, check=True)
    world, report = World(os.path.abspath(target)), Report()
    work = {
        "throughput": lambda: throughput.measure(world, report, asked.seconds),
        "switching": lambda: switching.measure(world, report, asked.switches, asked.requests),
        "sockets": lambda: sockets.measure(world, report),
        "replacing": lambda: replacing.measure(world, report),
        "memory": lambda: memory.measure(world, report),
        "whole": lambda: whole.measure(world, report),
    }
    report.say("# The proxy, measured\n")
    report.machine()
    for part in asked.only:
        work[part]()
    report.title(f"{len(report.missed)} goals missed")
    for goal in report.missed:
        report.say(f"- {goal}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=int, default=5, help="of each throughput run")
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=1_000_000, help="at least, over the switches")
    parser.add_argument("--no-build", action="store_true", help="measure what was built before")
    return parser.parse_args()


def install():
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit("missing; install them with: sudo apt-get install " + " ".join(missing))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    subprocess.run(words, env=environment, stdout=sys.stderr, check=True)


if __name__ == "__main__":
    main()
