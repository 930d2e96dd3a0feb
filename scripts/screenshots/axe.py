"""Asks axe about every page. `axe.py TEAL AXE.JS`; exit code 1 when something serious is found."""
import sys
from pathlib import Path

from browser import Browser
from take import sign_in
from world import World

PAGES = [
    "/", "/environments/notebook/production", "/environments/notebook/production/rollback", "/deployments/{live}",
    "/deployments/{failed}", "/deployments/{asked}", "/deployments/{live}/plan", "/history",
    "/history?state=failed", "/deployments/999999",
]
SCREENS = [(1180, 900, "light"), (1180, 900, "dark"), (390, 844, "light")]
RUN = "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map(v => ({" \
      "id: v.id, impact: v.impact, help: v.help, where: v.nodes.slice(0, 3).map(n => n.html)}))));"


def main(teal, axe):
    source = Path(axe).read_text()
    found = {}
    with World(teal) as world, Browser() as browser:
        world.build_history()
        world.ask()
        sign_in(browser, world, "admin")
        numbers = {"live": world.newest("live"), "failed": world.newest("failed"), "asked": world.newest("approval")}
        for path in PAGES:
            for width, height, scheme in SCREENS:
                browser.look(width, height, scheme)
                browser.go(f"http://127.0.0.1:{world.listen}" + path.format(**numbers))
                # The pages forbid scripts of others; the driver's own are let through.
                browser.run(source)
                for violation in browser.run_async(RUN):
                    key = (violation["impact"], violation["id"], path)
                    found.setdefault(key, violation)
    serious = [key for key in found if key[0] in ("serious", "critical")]
    for (impact, rule, path), violation in sorted(found.items(), key=str):
        print(f"{impact}: {rule} on {path}: {violation['help']}")
        for where in violation["where"]:
            print(f"    {where[:200]}")
    print(f"{len(PAGES)} pages on {len(SCREENS)} screens: {len(found)} findings, {len(serious)} of them serious")
    return 1 if serious else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
