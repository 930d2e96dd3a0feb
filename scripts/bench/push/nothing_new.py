"""What has been built before is not built again: the same again, documentation, a revert, a promotion."""

import repos
from server import Server, percentile

ROUNDS = 8


def measure(world, report, asked):
    report.title("Nothing to build: push to live beyond the app's start")
    server = Server(world, [("shop", "production", "main"), ("shop", "staging", "develop")])
    repository = repos.Repository(world, "shop", "modules", server.variables)
    for number in range(3):
        repository.commit(f"first-{number}")
        server.push(repository, "shop")
    kinds = {
        "the same commit again": again,
        "a change of documentation": documentation,
        "a revert": revert,
        "a promotion": promotion,
    }
    for words, act in kinds.items():
        traces = [act(server, repository, number) for number in range(ROUNDS)]
        commands = sum(trace["commands_ms"] for trace in traces)
        report.goal(f"{words}: no command of the app runs", commands == 0, f"{commands} ms of commands")
        p50 = percentile([trace["overhead_ms"] for trace in traces], 50)
        worst = max(trace["overhead_ms"] for trace in traces)
        figure = f"p50 {p50:.0f} ms, worst of {ROUNDS} {worst:.0f} ms"
        report.goal(f"{words}: at most 200 ms", p50 <= 200, figure)
        slow = max(traces[-1]["steps"], key=lambda step: step["teal_ms"] * (not step["after"]))
        report.say(f"  - most of it in {slow['step']}: {slow['teal_ms']} ms")
    world.stop(server.process)


def again(server, repository, _):
    return server.push(repository, "shop", "main:refs/deploy/production")


def documentation(server, repository, number):
    repository.write("README.md", f"Text {number}.\n")
    repository.keep("documentation")
    return server.push(repository, "shop")


def revert(server, repository, number):
    """To what was built before the last change."""
    before = open(f"{repository.folder}/src/name").read()
    repository.commit(f"change-{number}")
    server.push(repository, "shop")
    repository.commit(before)
    return server.push(repository, "shop")


def promotion(server, repository, number):
    repository.commit(f"candidate-{number}")
    server.push(repository, "shop", "main:develop")
    return server.command("promote", "shop/staging", "shop/production")
