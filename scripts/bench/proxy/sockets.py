"""WebSockets that say nothing, over a switch: they live until their own deadline and are then asked to go."""

import load
import peers

COUNT = 500


def measure(world, report):
    ports = [peers.service(world, name) for name in ("blue", "green")]
    teal = peers.Teal(world, ports)
    grace_ms = teal.table["routes"][0]["drain_websockets_ms"]
    target = ["--target", f"127.0.0.1:{teal.port}", "--connections", str(COUNT)]
    held = load.run(world, "websockets", *target)
    load.said(held, "open")
    teal.switch(ports[1])
    switched = teal.switched_at_ns()
    ended = [held.stdout.readline().split() for _ in range(COUNT)]
    held.stdin.close()
    load.said(held, "left 0")
    teal.stop()
    after_ms = [(int(at) - switched) / 1e6 for _, at in ended]
    early = sum(after < grace_ms for after in after_ms)
    cut = sum(how == "cut" for how, _ in ended)
    report.title(f"{COUNT} idle WebSockets over a switch, deadline {grace_ms} ms")
    spread = f"ended {min(after_ms):,.0f} to {max(after_ms):,.0f} ms after the switch"
    report.goal("none cut before its deadline", early == 0, f"{early} before, {spread}")
    report.goal("each ended with a close frame", cut == 0, f"{cut} without")
