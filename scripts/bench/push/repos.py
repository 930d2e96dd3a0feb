"""Three repositories: a small API, one whose install makes some 23,000 files, and one with 20,000 tracked files."""

import os
import subprocess

# What a NestJS app with its tools brings into node_modules, in files and folders; no network is needed for it.
INSTALL = """
import os
os.makedirs("node_modules", exist_ok=True)
for package in range(1150):
    folder = f"node_modules/package-{package}/lib"
    os.makedirs(folder, exist_ok=True)
    for number in range(20):
        with open(f"{folder}/file-{number}.js", "w") as file:
            file.write(f"module.exports = {package} * {number};\\n" * (10 + number * 8))
"""

RECIPE = """
[build]
{install}
build = "mkdir -p dist && cp -r src dist/"
outputs = ["dist"]
ignore = ["docs/**", "*.md"]

[run]
web = "exec {load} service --listen 127.0.0.1:$PORT --name \\"$(cat src/name)\\""
"""


class Repository:
    """A work tree that is pushed to one place."""

    def __init__(self, world, name, kind, environment):
        self.world, self.name, self.environment = world, name, environment
        self.folder = world.path("work", name)
        os.makedirs(self.folder)
        self.git("init", "-q", "-b", "main")
        install = 'install = ""'
        if kind == "modules":
            self.write("install.py", INSTALL)
            self.write("package-lock.json", "{}")
            self.write("package.json", '{ "name": "bench" }')
            install = 'install = "python3 install.py"\ndeps = ["node_modules"]'
        if kind == "tracked":
            for folder in range(200):
                for number in range(100):
                    text = f"export const value = {folder * number};\n" * 20
                    self.write(f"files/{folder}/file-{number}.ts", text)
        self.write(".teal.toml", RECIPE.format(install=install, load=world.load))
        self.write("README.md", "A repository.\n")
        self.commit("v0")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def commit(self, name):
        """A change of code: the release says another name."""
        self.write("src/name", name)
        return self.keep(name)

    def keep(self, message):
        self.git("add", "-A")
        who = ("-c", "user.name=bench", "-c", "user.email=bench@bench.test")
        self.git(*who, "-c", "gc.auto=0", "commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words):
        done = subprocess.run(
            ("git", *words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise SystemExit(f"git {words} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
