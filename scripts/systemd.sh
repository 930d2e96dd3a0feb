#!/usr/bin/env bash
# Boots a Debian with systemd in a container, installs Teal there as the README says, deploys an app, restarts the unit under
# load, reboots the machine, and asserts each time that the app serves. Nothing of it touches this machine but a folder with
# the Debian ($TEAL_SYSTEMD_BASE, by default /var/tmp/teal-systemd), which is kept for the next time.
#
#   sudo scripts/systemd.sh [folder with teal and teal-hook; default: target/release, built if it is missing]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

if [ "$(id -u)" -ne 0 ]; then
  stop "only root can boot a container. Type:" "  sudo $PWD/scripts/systemd.sh ${1:-}"
fi
need_programs << 'LIST'
debootstrap debootstrap
systemd-nspawn systemd-container
nsenter util-linux
LIST

programs=${1:-target/release}
if [ ! -x "$programs/teal" ]; then
  need_cargo
  cargo build --release --locked
fi

base=${TEAL_SYSTEMD_BASE:-/var/tmp/teal-systemd}/base
if [ ! -e "$base/.complete" ]; then
  echo "== a Debian with systemd, in $base (a few minutes, once)"
  rm -rf "$base"
  mkdir -p "$base"
  debootstrap --variant=minbase --include=systemd-sysv,dbus,git,python3,procps bookworm "$base" > "$base.log" 2>&1 ||
    stop "debootstrap failed; its output is in $base.log"
  touch "$base/.complete"
fi

work=$(mktemp -d /tmp/teal-systemd-XXXXXX)
root=$work/root
nspawn=
clean_up() {
  if [ -n "$nspawn" ]; then
    kill -TERM "$nspawn" 2> /dev/null || true
    wait "$nspawn" 2> /dev/null || true
  fi
  umount --lazy "$root" 2> /dev/null || true
  umount --lazy "$work" 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $*" >&2
  inside journalctl --no-pager -u teal -n 40 >&2 || tail -n 40 "$work/console" >&2
  exit 1
}

# What is written in the container lies over the Debian and is gone with it.
mount -t tmpfs tmpfs "$work"
mkdir "$work/over" "$work/aside" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/over,workdir=$work/aside" "$root"

echo "== install"
install "$programs/teal" "$programs/teal-hook" "$root/usr/local/bin/"
install -D -m 644 config/teal.service "$root/etc/systemd/system/teal.service"
chroot "$root" useradd --system --create-home --home-dir /var/lib/teal --shell /usr/bin/git-shell teal
install -d "$root/etc/teal" "$root/srv/shop"
chroot "$root" chown teal:teal /srv/shop
cat > "$root/etc/teal/teal.toml" << 'TOML'
[proxy]
listen = ["127.0.0.1:80"]

[apps.shop.environments.production]
domain = "shop.example.com"
observe = "1s"
TOML
chroot "$root" systemctl enable teal > /dev/null 2>&1

# The system's first process in the container: the only child of the one that made it.
first_process() {
  pgrep -P "$nspawn" | tail -n 1
}

inside() {
  nsenter --target "$(first_process)" --mount --uts --ipc --net --pid --cgroup --root --wd -- "$@"
}

# Tries it for a minute.
within_a_minute() {
  local what=$1 tries
  shift
  for tries in $(seq 120); do
    if "$@" > /dev/null 2>&1; then
      return
    fi
    sleep 0.5
  done
  fail "after a minute, still not: $what"
}

ask() {
  inside python3 -c "
import sys, urllib.request
request = urllib.request.Request('http://127.0.0.1/', headers={'Host': 'shop.example.com'})
print(urllib.request.urlopen(request, timeout=5).read().decode().strip())"
}

serves() {
  [ "$(ask)" = "$1" ]
}

is_up() {
  [ "$(inside systemctl is-active teal)" = active ]
}

boot() {
  systemd-nspawn --quiet --boot --directory "$root" --private-network --register=no --keep-unit \
    --machine="teal-$$" >> "$work/console" 2>&1 < /dev/null &
  nspawn=$!
}

echo "== boot"
boot
within_a_minute "the unit is active" is_up

echo "== deploy"
inside runuser -u teal -- bash -eu -c '
  cd /var/lib/teal
  mkdir /var/lib/teal/work; cd /var/lib/teal/work
  git init --quiet --initial-branch=main
  cat > app.py << PY
import os
from http.server import *
class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = open("version").read().encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
PY
  printf "[run]\nweb = \"exec python3 app.py\"\n" > .teal.toml
  printf one > version
  git add --all
  git -c user.name=a -c user.email=a@example.com commit --quiet --message one
  git push --quiet /var/lib/teal/repos/shop.git main' || fail "the push"
within_a_minute "the release serves" serves one

service=$(inside cat /srv/shop/shared/blue.pid)
bound=$(inside grep CapAmb "/proc/$service/status" | tr -d '[:space:]')
[ "$bound" = "CapAmb:0000000000000000" ] || fail "the service inherits capabilities: $bound"

echo "== restart the unit, and kill it, while visitors ask"
inside python3 -u -c "
import http.client, os
asked = lost = 0
c = None
while not os.path.exists('/tmp/enough'):
    asked += 1
    try:
        c = c or http.client.HTTPConnection('127.0.0.1', 80, timeout=5)
        c.request('GET', '/', headers={'Host': 'shop.example.com'})
        lost += c.getresponse().read() != b'one'
    except OSError:
        lost += 1
        c = None
print(asked, lost)" > "$work/load" &
load=$!
inside systemctl restart teal || fail "systemctl restart"
is_up || fail "not active after the restart"
inside systemctl kill --kill-whom=main --signal=KILL teal
sleep 1
within_a_minute "the killed server is back" is_up
inside touch /tmp/enough
wait "$load"
read -r asked lost < "$work/load"
[ "$lost" = 0 ] || fail "$lost of $asked requests were lost"
[ "$(inside cat /srv/shop/shared/blue.pid)" = "$service" ] || fail "the service was started again"
echo "   $asked requests, $lost lost, the service was not touched"

echo "== reboot"
inside systemctl poweroff || true
wait "$nspawn" || true
boot
within_a_minute "the unit is active again" is_up
within_a_minute "the release serves again" serves one
echo "== the app serves after a boot, a restart, a kill and a reboot"
