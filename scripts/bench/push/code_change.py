"""A change of code, from `git push` typed to live, minus the app's own commands and its start."""

import repos
from old import Old
from server import Server, percentile

KINDS = {
    "small": "a small API",
    "modules": "23,000 files in node_modules",
    "tracked": "20,000 tracked files",
}


def measure(world, report, asked):
    report.title("A change of code: push to live, minus the app's own commands and its start")
    server = Server(world, [(kind, "production", "main") for kind in KINDS])
    rows, all_steps = [], {}
    for kind, words in KINDS.items():
        repository = repos.Repository(world, kind, kind, server.variables)
        # Both slots are filled before the clock counts.
        for number in range(3):
            repository.commit(f"first-{number}")
            server.push(repository, kind)
        traces = []
        for number in range(asked.rounds):
            repository.commit(f"alpha-{number}")
            traces.append(server.push(repository, kind))
        overheads = [trace["overhead_ms"] for trace in traces]
        for step in traces[-1]["steps"]:
            of_step = [
                one["teal_ms"] for trace in traces for one in trace["steps"] if one["step"] == step["step"]
            ]
            all_steps.setdefault(step["step"], {})[kind] = percentile(of_step, 50)
        outside = [trace["wall_ms"] - trace["total_ms"] for trace in traces]
        all_steps.setdefault("git and hook", {})[kind] = round(percentile(outside, 50))
        old_ms, old_commands = old(world, repository, kind)
        p50, p99 = percentile(overheads, 50), percentile(overheads, 99)
        ours = percentile([trace["commands_ms"] for trace in traces], 50)
        rows.append([words, f"{p50:.0f} ms", f"{p99:.0f} ms", f"{old_ms:.0f} ms", f"{ours} ms", f"{old_commands} ms"])
        report.goal(f"{words}: p50 at most 150 ms", p50 <= 150, f"{p50:.0f} ms")
        report.goal(f"{words}: p99 at most 400 ms", p99 <= 400, f"{p99:.0f} ms")
    report.say()
    head = ["", "Teal p50", "Teal p99", "the script", "commands of the app: Teal ran", "the script ran"]
    report.table(head, rows)
    report.say(f"\nEach of Teal's figures is of {asked.rounds} pushes. The median of Teal's own time by step, in ms:\n")
    table = [[step, *(found.get(kind, "") for kind in KINDS)] for step, found in all_steps.items()]
    report.table(["", *KINDS.values()], table)
    world.stop(server.process)


def old(world, repository, kind):
    """The middle one of three pushes with the script, once both slots are filled."""
    script = Old(world, repository, "python3 install.py" if kind == "modules" else "")
    figures = []
    for number in range(5):
        repository.commit(f"old-{number}")
        figures.append(script.push())
    script.stop()
    return sorted(figures[2:])[1]
