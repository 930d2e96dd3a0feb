"""A folder, free ports and processes that all end with the benchmark; what processes have used."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "bench.test"
TICKS = os.sysconf("SC_CLK_TCK")


class World:
    """Everything that one run makes."""

    def __init__(self, target):
        self.dir = tempfile.mkdtemp(prefix="teal-bench-")
        # The workers of nginx are another user.
        os.chmod(self.dir, 0o755)
        self.teal = os.path.join(target, "release", "teal")
        self.load = os.path.join(target, "release", "examples", "load")
        self.processes = []
        atexit.register(self.end)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        """Writes a file whole, as whoever reads it meanwhile expects."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".new", path)
        return path

    def start(self, *words, port=None, **options):
        """Starts a process; with a port, waits until it listens there."""
        log = open(self.path("log"), "a")
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", log)
        process = subprocess.Popen(words, stderr=log, start_new_session=True, **options)
        self.processes.append(process)
        if port is not None:
            self.wait(f"{words[0]} listens on {port}", lambda: listens(port), process)
        return process

    def wait(self, what, so, process=None, within=30):
        until = time.monotonic() + within
        while not so():
            ended = process is not None and process.poll() is not None
            if ended or time.monotonic() > until:
                with open(self.path("log")) as log:
                    raise SystemExit(f"never: {what}\n{log.read()[-2000:]}")
            time.sleep(0.01)

    def stop(self, process, how=signal.SIGTERM):
        """Ends one process and what it started in its session."""
        for pid in [*descendants(process.pid), process.pid]:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                self.stop(process, signal.SIGKILL)
        for pid in who_belongs_to(self.dir):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def listens(port):
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def processes():
    """Every process with the fields of its `stat` after the name."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                yield int(entry), stat.read().rpartition(")")[2].split()
        except OSError:
            pass


def descendants(pid):
    parents = {child: int(fields[1]) for child, fields in processes()}
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def who_belongs_to(folder):
    """Processes that outlive those who started them, known by the folder in their words or by working in it."""
    for pid, _ in processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                names = folder.encode() in words.read()
            works = os.readlink(f"/proc/{pid}/cwd").startswith(folder)
            if (names or works) and pid != os.getpid():
                yield pid
        except OSError:
            pass


def cpu_seconds(pid):
    """What the process and its living descendants have used."""
    family = {pid, *descendants(pid)}
    return sum(
        (int(fields[11]) + int(fields[12])) / TICKS
        for one, fields in processes()
        if one in family
    )


def private_mb(pid):
    """Memory that ends with the process: pages that it shares with nobody."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        private = [line.split()[1] for line in rollup if line.startswith("Private_")]
    return sum(map(int, private)) / 1024


def ask(path, question):
    """One question over a control socket."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        control.connect(path)
        control.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(control.makefile().readline())
