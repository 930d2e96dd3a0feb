"""The deployment script beside Teal: the same repositories, the same commands, in the same run."""

import os
import subprocess
import time

from world import free_port

NGINX = """
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    include upstream.conf;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; }} }}
}}
"""


class Old:
    """An environment that old-deploy.sh deploys to."""

    def __init__(self, world, repository, install):
        self.world, self.repository = world, repository
        self.blue, self.green, self.port = free_port(), free_port(), free_port()
        self.nginx = world.path("nginx-" + repository.name)
        folder = "nginx-" + repository.name
        world.write(f"{folder}/nginx.conf", NGINX.format(port=self.port))
        world.write(f"{folder}/upstream.conf", f"upstream app {{ server 127.0.0.1:{self.blue}; }}")
        words = ("nginx", "-p", self.nginx, "-c", "nginx.conf", "-g", "daemon off;")
        self.process = world.start(*words, port=self.port)
        self.place = world.path("old", repository.name + ".git")
        repository.git("init", "-q", "--bare", self.place)
        self.install = install or "true"

    def push(self):
        """What a push costs beyond install and build, in milliseconds, from the first byte typed to the reload."""
        typed_ms = time.time() * 1000
        self.repository.git("push", "-q", self.place, "main")
        start = f'{self.world.load} service --listen 127.0.0.1:$PORT --name "$(cat src/name)"'
        words = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "old-deploy.sh")]
        words += [self.world.path("old", self.repository.name), self.place, "main"]
        words += [str(self.blue), str(self.green), self.nginx]
        words += [self.install, "mkdir -p dist && cp -r src dist/", start]
        done = subprocess.run(words, env=self.repository.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"old-deploy.sh failed:\n{done.stdout}{done.stderr}")
        said = dict(line.split() for line in done.stdout.splitlines() if line.startswith(("commands", "live")))
        commands = int(said.get("commands", 0))
        return int(said["live"]) - typed_ms - commands, commands

    def stop(self):
        self.world.stop(self.process)
