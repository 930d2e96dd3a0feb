"""The proxies that are compared, with like settings: two workers, no access log, connections to the service kept, the
same headers set. Each is started on a port of its own in front of the ports of the service."""

import json
import os
import signal

from world import HOST, ask, free_port

NGINX = """
worker_processes 2; daemon off; master_process on; pid {dir}/nginx-{port}.pid; error_log {dir}/nginx.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  include {upstream};
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 2
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  unique-id-format %[rand,hex]%[rand,hex]
  unique-id-header X-Request-Id
  default_backend back
backend back
  server service 127.0.0.1:{service} maxconn 4000
"""

CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{service} {{
    header_up X-Request-Id {{http.request.uuid}}
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
"""

# The service of the throughput benchmark: an nginx that holds both answers ready.
STATIC = """
worker_processes 1; daemon off; pid {dir}/static.pid; error_log {dir}/static.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; sendfile on;
  open_file_cache max=16; root {dir}/www;
  client_body_temp_path {dir}/s1; proxy_temp_path {dir}/s2; fastcgi_temp_path {dir}/s3;
  uwsgi_temp_path {dir}/s4; scgi_temp_path {dir}/s5;
  server {{ listen 127.0.0.1:{port} backlog=4096; }}
}}
"""


class Peer:
    """A proxy that runs."""

    def __init__(self, world, name, port, process):
        self.world, self.name, self.port, self.process = world, name, port, process

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.world.stop(self.process)


def static_service(world):
    os.makedirs(world.path("www"), exist_ok=True)
    for name, size in (("1k", 1024), ("100k", 102400)):
        world.write(f"www/{name}", "x" * size)
    port = free_port()
    config = world.write("static.conf", STATIC.format(dir=world.dir, port=port))
    world.start("nginx", "-c", config, port=port)
    return port


def service(world, name):
    port = free_port()
    world.start(
        world.load, "service", "--listen", f"127.0.0.1:{port}", "--name", name, port=port
    )
    return port


def nginx(world, ports):
    port = free_port()
    upstream = world.write(f"upstream-{port}.conf", nginx_upstream(ports[0]))
    text = NGINX.format(dir=world.dir, port=port, upstream=upstream)
    config = world.write(f"nginx-{port}.conf", text)
    peer = Peer(world, "nginx", port, world.start("nginx", "-c", config, port=port))

    def switch(service):
        world.write(os.path.basename(upstream), nginx_upstream(service))
        os.kill(peer.pid, signal.SIGHUP)

    peer.switch = switch
    return peer


def nginx_upstream(port):
    return (
        "upstream service { server 127.0.0.1:%d; keepalive 256; keepalive_requests 100000000; }\n"
        % port
    )


def haproxy(world, ports):
    port = free_port()
    config = world.write("haproxy.cfg", HAPROXY.format(port=port, service=ports[0]))
    return Peer(world, "HAProxy", port, world.start("haproxy", "-db", "-f", config, port=port))


def caddy(world, ports):
    port = free_port()
    config = world.write("Caddyfile", CADDY.format(port=port, service=ports[0]))
    home = {"HOME": world.dir, "XDG_DATA_HOME": world.dir, "XDG_CONFIG_HOME": world.dir}
    words = ("caddy", "run", "--config", config, "--adapter", "caddyfile")
    environment = {**os.environ, **home, "GOMAXPROCS": "2"}
    return Peer(world, "Caddy", port, world.start(*words, port=port, env=environment))


class Teal(Peer):
    """Teal's data plane with one environment."""

    def __init__(self, world, ports, name="proxy"):
        self.state = name + ".json"
        self.socket = world.path(name + ".sock")
        self.table = {"generation": 0, "routes": [route(ports)]}
        self.ports = ports
        super().__init__(world, "Teal", free_port(), None)
        self.show(ports[0])
        self.process = self.another()

    def another(self):
        """One more process on the same socket: it takes over from the one that runs."""
        words = ["--state", self.world.path(self.state), "--socket", self.socket]
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        process = self.world.start(self.world.teal, "proxy", *words, *listen)
        self.world.wait("the proxy answers", lambda: self.answers(process.pid), process)
        return process

    def answers(self, pid):
        try:
            return ask(self.socket, {"do": "identify"}).get("pid") == pid
        except OSError:
            return False

    def show(self, service):
        shares = {"blue": 0, "green": 0, ["blue", "green"][self.ports.index(service)]: 100}
        self.table["generation"] += 1
        self.table["routes"][0]["shares"] = shares
        self.world.write(self.state, json.dumps(self.table))

    def switch(self, service):
        self.show(service)
        answer = ask(self.socket, {"do": "reload"})
        if answer.get("generation") != self.table["generation"]:
            raise SystemExit(f"the proxy did not follow: {answer}")

    def switched_at_ns(self):
        """When the last switch took place, by the proxy's own clock, which is the machine's."""
        measure = ask(self.socket, {"do": "measure", "env": "bench/production"})["measure"]
        return measure["switches"][-1]["at_us"] * 1000


def route(ports):
    ports = [*ports, ports[0]][:2]
    return {
        "env": "bench/production",
        "domains": [HOST],
        "default": True,
        "upstreams": {"blue": ports[:1], "green": ports[1:]},
        "shares": {"blue": 0, "green": 0},
        "hold_ms": 10_000,
        "drain_websockets_ms": 3_000,
    }
