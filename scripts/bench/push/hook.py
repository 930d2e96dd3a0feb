"""The hook: from its start to the first line in the pusher's terminal."""

import os
import subprocess
import time

import repos
from server import Server, percentile


def measure(world, report, asked):
    report.title("The hook: start to the first line in the pusher's terminal")
    server = Server(world, [("shop", "production", "main")])
    repository = repos.Repository(world, "shop", "small", server.variables)
    server.push(repository, "shop")
    bare = world.path("state", "repos", "shop.git")
    took = [first_line(server, repository, bare) for _ in range(asked.rounds)]
    p50, p99 = percentile(took, 50), percentile(took, 99)
    figure = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {asked.rounds}"
    report.goal("at most 30 ms", p50 <= 30, figure)
    world.stop(server.process)


def first_line(server, repository, bare):
    """Runs `post-receive` as git does, for a commit that is there, to its first line."""
    commit = repository.commit(f"hook-{time.time_ns()}")
    repository.git("push", "-q", bare, "main:refs/heads/aside")
    before = repository.git("rev-parse", "HEAD~1").strip()
    repository.git("--git-dir", bare, "update-ref", "refs/heads/main", commit)
    environment = {**server.variables, "GIT_DIR": bare}
    began = time.perf_counter()
    hook = subprocess.Popen(
        [os.path.join(bare, "hooks", "post-receive")],
        cwd=bare,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    hook.stdin.write(f"{before} {commit} refs/heads/main\n")
    hook.stdin.close()
    line = hook.stdout.readline()
    took = (time.perf_counter() - began) * 1000
    if not line.startswith("deployment"):
        raise SystemExit(f"the hook said {line!r}{hook.stdout.read()}")
    hook.stdout.read()
    hook.wait()
    return took
