"""Takes the pictures of the README: a real server, a real browser. `take.py TEAL FOLDER`."""
import sys
import time
from pathlib import Path

from browser import Browser
from world import World

SHOTS = [
    ("environments-light", "/", 1180, 900, "light"),
    ("environments-dark", "/", 1180, 900, "dark"),
    ("environments-phone", "/", 390, 844, "dark"),
    ("deployment-light", "/deployments/{live}", 1180, 1100, "light"),
    ("failure-dark", "/deployments/{failed}", 1180, 900, "dark"),
    ("history-light", "/history", 1180, 1000, "light"),
]


def sign_in(browser, world, role="deploy"):
    link = world.command("user", "add", "ann", "--role", role).split()[-1]
    browser.go(link)
    browser.run("document.querySelector('form[action^=\"/sign-in\"] button').click()")
    for _ in range(100):
        if browser.run("return !!document.querySelector('.cards')"):
            return
        time.sleep(0.1)
    raise SystemExit("signing in did not work")


def main(teal, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with World(teal) as world, Browser() as browser:
        world.visitors()
        world.build_history()
        world.spread_over_weeks()
        world.commit("notebook", "Offer three kinds of paper", "cleo")
        world.push("notebook", "main")
        world.ask()
        sign_in(browser, world)
        numbers = {"live": world.newest("live"), "failed": world.newest("failed")}
        for name, path, width, height, scheme in SHOTS:
            browser.look(width, height, scheme)
            browser.go(f"http://127.0.0.1:{world.listen}" + path.format(**numbers))
            picture = browser.picture()
            (folder / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture) // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
