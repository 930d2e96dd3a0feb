"""Memory of the proxy's process that ends with it: at rest, and with connections that say nothing."""

import load
import peers
from world import descendants, private_mb

COUNT = 10_000


def measure(world, report):
    ports = [peers.service(world, name) for name in ("blue", "green")]
    teal = peers.Teal(world, ports, "memory")
    nginx = peers.nginx(world, ports)
    rest = private_mb(teal.pid)
    rows = [["at rest", f"{rest:.1f}", f"{all_of(nginx):.1f}"]]
    figures = {}
    for what, words in (("never asked", []), ("asked once", ["--ask"])):
        shown = [what_it_takes(world, peer, words) for peer in (teal, nginx)]
        figures[what] = shown[0]
        rows.append([f"{COUNT:,} connections, {what}", *(f"{one:.1f}" for one in shown)])
    for peer in (teal, nginx):
        peer.stop()
    report.title("Private memory in MB")
    report.table(["", "Teal", "nginx"], rows)
    report.say()
    report.goal("at rest at most 10 MB", rest <= 10, f"{rest:.1f} MB")
    for what, figure in figures.items():
        report.goal(f"{COUNT:,} connections {what}, at most 100 MB", figure <= 100, f"{figure:.1f} MB")


def what_it_takes(world, peer, words):
    target = ["--target", f"127.0.0.1:{peer.port}", "--connections", str(COUNT)]
    held = load.run(world, "hold", *target, *words)
    load.said(held, "open")
    figure = all_of(peer)
    held.stdin.close()
    held.wait(30)
    return figure


def all_of(peer):
    """The process and its workers."""
    return sum(map(private_mb, [peer.pid, *descendants(peer.pid)]))
