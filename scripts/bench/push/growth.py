"""What a deployment costs as the history and the number of environments grow: it has to stay the same."""

import json
import sqlite3
import time

import repos
from server import Server, percentile

ROUNDS = 10


def measure(world, report, asked):
    report.title("Cost against what there is: push to live beyond the app's own time")
    histories = [count for count in (1, 100, 10_000) if count <= asked.history]
    rows = []
    server = Server(world, [("shop", "production", "main")])
    repository = repos.Repository(world, "shop", "small", server.variables)
    for number in range(3):
        repository.commit(f"first-{number}")
        server.push(repository, "shop")
    for count in histories:
        remember(world, server, count)
        rows.append([f"{count:,} deployments of history", *figures(server, repository, "shop")])
    names = [("shop", "production", "main")]
    for count in (10, 100):
        names += [("shop", f"env-{n}", f"branch-{n}") for n in range(len(names) - 1, count - 1)]
        world.stop(server.process)
        server.environments = names
        server.configure()
        server.process = server.serve()
        for n in range(min(count - 1, 9)):
            server.push(repository, "shop", f"main:branch-{n}")
        rows.append([f"{count} environments", *figures(server, repository, "shop")])
    report.table(["", "p50", "worst"], [[words, f"{p50:.0f} ms", f"{top:.0f} ms"] for words, p50, top in rows])
    report.say()
    first, last = rows[0][1], max(row[1] for row in rows[1:])
    report.goal("no more than 1.5 times and 30 ms above the first row", last <= first * 1.5 + 30, f"{last:.0f} ms against {first:.0f} ms")
    world.stop(server.process)


def figures(server, repository, app):
    took = []
    for number in range(ROUNDS):
        repository.commit(f"grown-{time.time_ns()}")
        took.append(server.push(repository, app)["overhead_ms"])
    return percentile(took, 50), max(took)


def remember(world, server, count):
    """Fills the history up with copies of its last deployment and that one's events, while the server is down."""
    world.stop(server.process)
    database = sqlite3.connect(world.path("state", "teal.db"))
    last, env, state, commit, created, body = database.execute(
        "SELECT id, env, state, commit_id, created_ms, body FROM deployments ORDER BY id DESC LIMIT 1"
    ).fetchone()
    events = database.execute("SELECT at_ms, body FROM events WHERE deployment = ?", (last,)).fetchall()
    have = database.execute("SELECT count(*) FROM deployments").fetchone()[0]
    for number in range(max(0, count - have)):
        copy = {**json.loads(body), "id": last + 1 + number}
        database.execute(
            "INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?)",
            (copy["id"], env, state, commit, created, json.dumps(copy)),
        )
        database.executemany(
            "INSERT INTO events (deployment, at_ms, body) VALUES (?, ?, ?)",
            [(copy["id"], at_ms, text) for at_ms, text in events],
        )
    database.commit()
    database.close()
    server.process = server.serve()
