"""Benchmarks of what a push costs beyond the app's own commands; prints what was measured as Markdown.

    python3 scripts/bench/push                       everything, about ten minutes
    python3 scripts/bench/push --only code intake    parts of it

Beside Teal runs the algorithm of a deployment script as many teams have one (old-deploy.sh), and adnanh/webhook where it
is installed. nginx and webhook are installed with apt when they are missing and it may.
"""

import sys

# The folder of the sources stays as it is.
sys.dont_write_bytecode = True

import argparse
import os
import resource
import shutil
import subprocess

HERE = os.path.abspath(os.path.dirname(__file__))
# The world of processes and the report are those of the proxy's benchmarks.
sys.path.insert(1, os.path.join(HERE, "..", "proxy"))

import code_change
import growth
import hook
import idle
import intake
import nothing_new
from report import Report, output
from world import World

ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
PROGRAMS = {"git": "git", "nginx": "nginx", "curl": "curl", "webhook": "webhook"}
PARTS = {
    "code": code_change.measure,
    "nothing": nothing_new.measure,
    "intake": intake.measure,
    "hook": hook.measure,
    "idle": idle.measure,
    "growth": growth.measure,
}


def main():
    asked = arguments()
    os.environ["PATH"] += ":/usr/sbin:/sbin:" + os.path.expanduser("~/.cargo/bin")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    install()
    target = asked.programs or os.path.join(
        os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release"
    )
    if not asked.programs:
        build = ["cargo", "build", "--release", "--bins", "--example", "load"]
        subprocess.run(build, cwd=ROOT, check=True)
    report = Report()
    report.say("# A push, measured\n")
    machine(report)
    for part in asked.only:
        world = World(os.path.dirname(os.path.abspath(target)))
        world.teal = os.path.join(os.path.abspath(target), "teal")
        world.load = os.path.join(os.path.abspath(target), "examples", "load")
        PARTS[part](world, report, asked)
        world.end()
    report.title(f"{len(report.missed)} goals missed")
    for goal in report.missed:
        report.say(f"- {goal}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=30, help="pushes of each kind")
    parser.add_argument("--history", type=int, default=10_000, help="the longest history of deployments")
    parser.add_argument("--programs", help="a folder with teal, teal-hook and examples/load; without it they are built")
    return parser.parse_args()


def install():
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not missing or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    # What cannot be installed is left out of the comparison, and the report says so.
    subprocess.run(words, env=environment, stdout=sys.stderr)


def machine(report):
    import platform
    import time

    with open("/proc/cpuinfo") as info:
        model = next(line.split(":")[1].strip() for line in info if "model name" in line)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    report.say(time.strftime("- %Y-%m-%d %H:%M UTC", time.gmtime()))
    report.say(f"- {model}, {os.cpu_count()} cores, {memory} GB, Linux {platform.release()}")
    load = os.getloadavg()[0]
    busy = "; **the machine was busy with other work, so times are longer than they would be**"
    report.say(f"- load average {load:.1f} before the run{busy if load > 1 else ''}")
    where = output(["stat", "-f", "-c", "%T", "/tmp"])
    report.say(f"- files on {where}; Teal {output(['git', '-C', ROOT, 'describe', '--always', '--dirty'])}")


if __name__ == "__main__":
    main()
