"""Benchmarks of what Teal does with files: sealing, the second color's dependencies, checking out; prints Markdown.

    python3 scripts/bench/files                    on this disk, and on XFS where root can mount a file
    python3 scripts/bench/files --dir /srv/tmp     on another disk
    python3 scripts/bench/files --no-build         measure what was built before

Generates a release with 23,000 files in node_modules and a repository with 20,000 tracked files, and runs cp, rsync and
git checkout on them beside Teal's own code.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
FILES, TRACKED, ROUNDS = 23_000, 20_000, 20


def main():
    asked = arguments()
    target = os.path.abspath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
    if not asked.no_build:
        build = ["cargo", "build", "--release", "--example", "files"]
        subprocess.run(build, cwd=ROOT, check=True)
    program = os.path.join(target, "release/examples/files")
    print("# Files, measured\n")
    machine()
    with tempfile.TemporaryDirectory(dir=asked.dir, prefix="teal-files-") as folder:
        disk(program, folder, kind_of(folder))
        with xfs(folder) as mounted:
            if mounted:
                disk(program, mounted, "XFS with reflinks (a file, mounted)")
    load = os.getloadavg()
    print(f"\nLoad at the end: {load[0]:.1f}, {load[1]:.1f}, {load[2]:.1f}.")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="where to write about 2 GB")
    parser.add_argument("--no-build", action="store_true")
    return parser.parse_args()


def machine():
    with open("/proc/cpuinfo") as info:
        names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = names[0] if names else os.uname().machine
    print(f"{time.strftime('%Y-%m-%d')}, {name}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {os.uname().release}.")
    print(f"Load at the start: {os.getloadavg()[0]:.1f}; above about 0.5 the figures are those of a busy machine.")


def kind_of(folder):
    words = ["stat", "--file-system", "--format=%T", folder]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


class xfs:
    """A file with an XFS in it, mounted; nothing where that cannot be done."""

    def __init__(self, folder):
        self.image, self.place = os.path.join(folder, "xfs.image"), os.path.join(folder, "xfs")

    def __enter__(self):
        if os.geteuid() != 0:
            print("\nNo XFS: only root can mount one.")
            return None
        if shutil.which("mkfs.xfs") is None:
            words = ["apt-get", "install", "-y", "--no-install-recommends", "xfsprogs"]
            subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.makedirs(self.place)
        subprocess.run(["truncate", "--size=4G", self.image], check=True)
        made = subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", self.image], capture_output=True)
        mounted = made.returncode == 0 and subprocess.run(
            ["mount", "-o", "loop", self.image, self.place], capture_output=True
        ).returncode == 0
        if not mounted:
            print("\nNo XFS: it cannot be made or mounted here.")
        self.mounted = mounted
        return self.place if mounted else None

    def __exit__(self, *_):
        if getattr(self, "mounted", False):
            subprocess.run(["umount", self.place], check=True)


def disk(program, folder, kind):
    print(f"\n## {kind}\n")
    release = os.path.join(folder, "root/releases/blue")
    modules(os.path.join(release, "node_modules"))
    os.sync()
    copy = median([timed(["cp", "-a", release, os.path.join(folder, f"copy{n}")]) for n in range(3)])
    reflinked = median(
        [timed(["cp", "-a", "--reflink=auto", release, os.path.join(folder, f"auto{n}")]) for n in range(3)]
    )
    linked = median([timed(["cp", "-al", release, os.path.join(folder, f"links{n}")]) for n in range(3)])
    sync = None
    if shutil.which("rsync"):
        words = ["rsync", "-a", "--delete", release + "/", os.path.join(folder, "copy0") + "/"]
        sync = median([timed(words) for _ in range(3)])
    for name in os.listdir(folder):
        if name.startswith(("copy", "auto", "links")):
            shutil.rmtree(os.path.join(folder, name))
    os.sync()
    root = os.path.join(folder, "root")
    seals = run(program, "seal", root, str(ROUNDS))
    before, after = seals["path"], seals["beside"]
    whole = [a + b for a, b in zip(before, after)]
    table(
        f"Sealing a release with {FILES:,} files in node_modules, one file changed ({ROUNDS} times)",
        [
            ("what it adds before the release starts: median, worst", two(before[1:])),
            ("and beside its start: median, worst", two(after[1:])),
            ("in all, of `cp -a`", ratio(median(whole[1:]), copy)),
            ("once for an installation, beside the build", ratio(seals["first"][0], copy)),
            ("`cp -a`", ms(copy)),
            ("`cp -a --reflink=auto`", ms(reflinked)),
            ("`cp -al` (hard links: a write in place would reach the backup)", ms(linked)),
            ("`rsync -a` with nothing to do", ms(sync) if sync else "not installed"),
            (f"the disk after {ROUNDS} backups, beside the release's own size", grown(root)),
            ("`--verify` of one, every byte read", ms(seals["verify"][0])),
        ],
    )
    table(
        "The second color's node_modules, same lockfile",
        [
            ("the first time, of `cp -a`", ratio(seals["other-color"][0], copy)),
            ("when it is there already", ms(seals["other-color-again"][0])),
        ],
    )
    shutil.rmtree(root)
    tracked(program, folder)


def modules(place):
    """Files of the sizes that packages have: most are small, a few are large."""
    sizes = random.Random(7)
    for number in range(FILES):
        folder = os.path.join(place, f"package-{number // 30}", ("lib", "dist", "test")[number % 3])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number}.js"), "w") as file:
            file.write(f"{number}\n" * int(sizes.lognormvariate(6.2, 1.3)))


def tracked(program, folder):
    work, bare = os.path.join(folder, "work"), os.path.join(folder, "repo.git")
    for number in range(TRACKED):
        path = os.path.join(work, f"part-{number // 1000}", f"folder-{number // 50 % 20}")
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, f"{number}.txt"), "w") as file:
            file.write(f"{number}\n" * 40)
    git("init", "-q", "-b", "main", work)
    commits = []
    for number in range(ROUNDS + 1):
        with open(os.path.join(work, "part-7/folder-7/7350.txt"), "w") as file:
            file.write(f"change {number}\n")
        git("-C", work, "add", "-A")
        git("-C", work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", str(number))
        commits.append(git("-C", work, "rev-parse", "HEAD").strip())
    git("clone", "-q", "--bare", work, bare)
    os.sync()
    times = run(program, "checkout", folder, *commits)
    theirs = []
    for commit in reversed(commits):
        theirs.append(timed(["git", "-C", work, "checkout", "-q", commit]))
    rows = [
        ("Teal: median, worst", two(times["checkout"])),
        ("`git checkout`: median, worst", two(theirs[1:])),
    ]
    if shutil.which("rsync"):
        words = ["rsync", "-a", "--delete", "--exclude=.git", work + "/", os.path.join(folder, "slot") + "/"]
        rows.append(("`rsync -a`: median, worst", two([timed(words) for _ in range(6)][1:])))
    table(f"Checking out a one-file change in {TRACKED:,} tracked files ({ROUNDS} times)", rows)
    for name in ("work", "repo.git", "slot", "meta"):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def git(*words):
    clean = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
    # Collecting 20,000 loose objects in the background would be measured as well, and be in the way of the end.
    words = ["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *words]
    return subprocess.run(words, env=clean, capture_output=True, text=True, check=True).stdout


def run(program, *words):
    """The times by name, in milliseconds."""
    told = subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    times = {}
    for line in told.splitlines():
        name, time_taken = line.split()
        times.setdefault(name, []).append(float(time_taken))
    return times


def timed(words):
    start = time.monotonic()
    subprocess.run(words, check=True)
    return (time.monotonic() - start) * 1000


def median(times):
    return statistics.median(times)


def ms(time_taken):
    return f"{time_taken:.0f} ms" if time_taken >= 100 else f"{time_taken:.1f} ms"


def two(times):
    return f"{ms(median(times))}, {ms(max(times))}"


def ratio(ours, theirs):
    return f"{ms(ours)} ({ours / theirs:.2f} of it)"


def grown(root):
    def used(*words):
        told = subprocess.run(["du", "-sk", *words], capture_output=True, text=True, check=True)
        return int(told.stdout.split()[0]) / 1024

    release = used(os.path.join(root, "releases/blue"))
    return f"{used(os.path.join(root, '.backups')):.0f} MB beside {release:.0f} MB"


def table(title, rows):
    print(f"### {title}\n\n| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print()


if __name__ == "__main__":
    main()
