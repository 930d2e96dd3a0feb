"""What was measured, as text that is also Markdown."""

import os
import platform
import subprocess
import time


class Report:
    """Prints as it goes, and remembers the goals that were missed."""

    def __init__(self):
        self.missed = []

    def say(self, text=""):
        print(text, flush=True)

    def title(self, text):
        self.say(f"\n## {text}\n")

    def table(self, head, rows):
        for row in [head, ["---"] * len(head), *rows]:
            self.say("| " + " | ".join(map(str, row)) + " |")

    def goal(self, what, met, figure):
        self.say(f"- {'met' if met else '**missed**'}: {what}: {figure}")
        if not met:
            self.missed.append(f"{what}: {figure}")

    def machine(self):
        with open("/proc/cpuinfo") as info:
            model = next(line.split(":")[1].strip() for line in info if "model name" in line)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
        commit = ["git", "describe", "--always", "--dirty"]
        self.say(time.strftime("- %Y-%m-%d %H:%M UTC", time.gmtime()))
        self.say(f"- {model}, {os.cpu_count()} cores, {memory} GB, Linux {platform.release()}")
        self.say(f"- load average {os.getloadavg()[0]:.1f} before the run; all over loopback")
        self.say(f"- Teal {output(commit)}; {version('nginx', '-v')}; {version('haproxy', '-v')}")
        self.say(f"- caddy {version('caddy', 'version')}; {version('wrk', '-v')}")


def version(*words):
    return output(words).splitlines()[0].strip()


def output(words):
    done = subprocess.run(words, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()
