#!/usr/bin/env bash
# Shows what Teal does: builds it, makes a server in a temporary folder, pushes an app twice while visitors come and go,
# pushes a broken commit, and counts what the visitors noticed. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

usage() {
  cat << 'TEXT'
Usage: scripts/quickstart.sh [--keep]
       scripts/quickstart.sh --stop FOLDER

Builds Teal, makes a server in a temporary folder, pushes an app twice while
visitors come and go, pushes a broken commit, and counts what they noticed.
Everything it starts listens on 127.0.0.1 only, and is gone at the end.

  --keep          leave the server up, and say where it is and how to stop it
  --stop FOLDER   stop a server that was left up, and remove its folder

Exit code: 0 when all went as promised, 1 when something did not.
TEXT
}

keep=no
stop_folder=""
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=yes ;;
    --stop) stop_folder=${2:-} && [ -n "$stop_folder" ] && shift || { usage >&2; exit 2; } ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

bold="" dim="" good="" bad="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m' dim=$'\e[2m' good=$'\e[32m' bad=$'\e[31m' plain=$'\e[0m'
fi

chapter() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
say() { printf '%s\n' "$@"; }
typed() { printf '%s$ %s%s\n' "$dim" "$1" "$plain"; }
went_well() { printf '%s%s%s\n' "$good" "$1" "$plain"; }
broken_promise() {
  printf '\n%s%s%s\n' "$bad" "$1" "$plain" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# ── Starting and stopping ────────────────────────────────────────────────────────────────────────────────────────────

folder=""
serve_pid=""
load_pid=""

# The processes of Teal's that were started with a path in this folder, and with "services", the app's own.
processes() {
  local pid file
  if [ "$2" = services ]; then
    file=environ
  else
    file=cmdline
  fi
  # shellcheck disable=SC2013  # numbers have no spaces
  for pid in $(grep -lsazF -- "$3$1/" /proc/[0-9]*/$file | cut -d/ -f3); do
    if [ "$2" = services ] || [[ "$(readlink "/proc/$pid/exe")" == */teal* ]]; then
      echo "$pid"
    fi
  done
}
programs_of() { processes "$1" programs ""; }
services_of() { processes "$1" services "TEAL_RELEASE_DIR="; }

# Waits up to ten seconds until the function finds nothing more in the folder.
until_none() {
  local tries
  for tries in $(seq 100); do
    [ -n "$("$1" "$2")" ] || return 0
    sleep 0.1
  done
  return 1
}

end() {
  local signal=$1 pids=$2
  # shellcheck disable=SC2086  # one word for each process
  [ -z "$pids" ] || kill "-$signal" $pids 2> /dev/null || true
}

# Teal's services outlive Teal on purpose. So: the server, the proxy and the supervisors first, then what they kept.
stop_all() {
  end TERM "$(programs_of "$1")"
  until_none programs_of "$1" || end KILL "$(programs_of "$1")"
  end TERM "$(services_of "$1")"
  until_none services_of "$1" || end KILL "$(services_of "$1")"
  until_none programs_of "$1" && until_none services_of "$1"
}

clean_up() {
  local code=$?
  trap - EXIT INT TERM HUP
  [ -z "$load_pid" ] || kill "$load_pid" 2> /dev/null || true
  if [ -z "$folder" ] || { [ "$keep" = yes ] && [ "$code" -eq 0 ]; }; then
    exit "$code"
  fi
  stop_all "$folder" || code=1
  if [ "$code" -eq 0 ]; then
    rm -rf "$folder"
  else
    say "" "What was written is kept for a look: $folder (server.log, state/logs)" >&2
  fi
  exit "$code"
}

if [ -n "$stop_folder" ]; then
  stop_folder=$(readlink -f "$stop_folder")
  [ -f "$stop_folder/teal.toml" ] && [ -d "$stop_folder/state" ] || stop "$stop_folder is no server that --keep left up"
  stop_all "$stop_folder" || stop "something in $stop_folder could not be stopped"
  rm -rf "$stop_folder"
  say "stopped, and $stop_folder is removed"
  exit 0
fi
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ── The story ────────────────────────────────────────────────────────────────────────────────────────────────────────

check_programs() {
  need_cargo
  need_programs << 'LIST'
cc build-essential
git git
curl curl
python3 python3
node nodejs
npm npm
LIST
  local node
  node=$(node --version)
  node=${node#v}
  [ "$(printf '%s\n' 18.14 "$node" | sort -V | head -n 1)" = 18.14 ] ||
    stop "Node.js $node is too old for the app that is pushed; it needs 18.14." "A newer one: https://nodejs.org/en/download"
  say "$(git --version), node $node, npm $(npm --version 2> /dev/null), $(python3 --version), $(cargo --version | cut -d' ' -f1,2)"
}

build() {
  local began=$SECONDS target
  typed "cargo build --profile quick --locked"
  cargo build --profile quick --locked --bins
  target=$(cargo metadata --format-version 1 --no-deps --locked --offline |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  PATH="$target/quick:$PATH"
  say "built in $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s"
}

# Ports below those that outgoing connections are given by the kernel, which could be taken a moment later.
free_ports() {
  python3 - "$1" << 'PYTHON'
import random, socket, sys
found = []
while len(found) < int(sys.argv[1]):
    port = random.randrange(20000, 32000)
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            continue
    if port not in found:
        found.append(port)
print(*found)
PYTHON
}

make_server() {
  folder=$(readlink -f "$(mktemp -d "${TMPDIR:-/tmp}/teal-quickstart.XXXXXX")")
  local listen blue green
  read -r listen proxy blue green <<< "$(free_ports 4)"
  cat > "$folder/teal.toml" << TOML
state_dir = "$folder/state"
apps_dir  = "$folder/apps"
listen    = "127.0.0.1:$listen"

[proxy]
kind   = "embedded"
listen = ["127.0.0.1:$proxy"]

[apps.notebook.environments.production]
branch  = "main"
domain  = "localhost"
ports   = { blue = $blue, green = $green }
observe = "3s"
on_push = "gate"      # a deployment that fails rejects the push
TOML
  typed "cat teal.toml"
  cat "$folder/teal.toml"
  export TEAL="teal --config $folder/teal.toml"
  teal --config "$folder/teal.toml" init > "$folder/init.log"
  typed "teal serve"
  setsid teal --config "$folder/teal.toml" serve > "$folder/server.log" 2>&1 < /dev/null &
  serve_pid=$!
  local tries
  for tries in $(seq 200); do
    ! grep -q ' is ready ' "$folder/server.log" || break
    kill -0 "$serve_pid" 2> /dev/null || broken_promise "The server did not start:" "$(cat "$folder/server.log")"
    sleep 0.05
  done
  grep ' is ready ' "$folder/server.log" | sed 's/.*INFO //' ||
    broken_promise "The server is not ready after ten seconds:" "$(cat "$folder/server.log")"
}

make_app() {
  # A person's own settings (signing, hooks, other names for commands) have no place in this.
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
  export GIT_AUTHOR_NAME=Quickstart GIT_AUTHOR_EMAIL=quickstart@localhost
  export GIT_COMMITTER_NAME=Quickstart GIT_COMMITTER_EMAIL=quickstart@localhost
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
  cp -R scripts/quickstart/app "$folder/notebook"
  cd "$folder/notebook"
  rm -rf node_modules dist data
  git init --quiet --initial-branch=main
  git remote add production "$folder/state/repos/notebook.git"
}

commit() {
  git add --all
  git commit --quiet --message "$1"
}

push() {
  typed "git push production main"
  git push --no-progress production main 2>&1
}

served_version() {
  curl --silent --show-error --max-time 10 "http://127.0.0.1:$proxy/" --header "Host: localhost"
}

expect_version() {
  local answer
  typed "curl http://localhost:$proxy/"
  answer=$(served_version) || true
  say "$answer"
  [ "$answer" = "notebook $1" ] || broken_promise "This should have been \`notebook $1\`."
}

begin_load() {
  python3 "$OLDPWD/scripts/quickstart/load.py" "$proxy" > "$folder/load.json" 2> "$folder/load.log" &
  load_pid=$!
}

end_load() {
  kill "$load_pid"
  wait "$load_pid" || broken_promise "The load ended badly:" "$(cat "$folder/load.log")"
  load_pid=""
  python3 - "$folder/load.json" << 'PYTHON'
import json, sys
load = json.loads(open(sys.argv[1]).read().splitlines()[-1])
versions = ", ".join(f"{count:,} by {version}" for version, count in load["versions"].items())
rows = [
    ("requests", f"{load['requests']:,} in {load['seconds']} s"),
    ("lost", f"{load['lost']:,}"),
    ("pages", versions),
    ("notes", f"{load['notes_written']:,} written, {load['notes_missing']:,} missing afterwards"),
    ("latency", f"p50 {load['p50_ms']} ms, p99 {load['p99_ms']} ms, longest {load['longest_ms']} ms"),
]
for name, value in rows:
    print(f"  {name:<10} {value}")
for loss in load["losses"]:
    print(f"  lost at    {loss}")
good = load["requests"] > 100 and load["lost"] == 0 and load["notes_missing"] == 0 and len(load["versions"]) == 2
sys.exit(0 if good else 1)
PYTHON
}

say "${bold}Teal: push to deploy, nothing dropped on the way${plain}"

chapter "What this needs"
check_programs

chapter "Building Teal"
build

chapter "A server in a folder of its own"
make_server
make_app

chapter "First push; visitors begin to come as soon as somebody answers"
begin_load
commit "A notebook over HTTP"
push || broken_promise "The first push should have gone live."
expect_version 1.0.0

chapter "Second push, while they come"
sed -i 's/1\.0\.0/2.0.0/' src/version.ts
commit "Release 2.0.0"
push || broken_promise "The second push should have gone live."
expect_version 2.0.0

chapter "A broken push: it needs a database that nobody has configured"
cat >> src/server.ts << 'TYPESCRIPT'

if (process.env.DATABASE_URL === undefined) {
  throw new Error("DATABASE_URL is not set");
}
TYPESCRIPT
commit "Keep the notes in a database"
if push; then
  broken_promise "This push should have been rejected."
fi
say "" "git says no, the branch has not moved, and the old release answers:"
expect_version 2.0.0

chapter "What the visitors noticed"
end_load || broken_promise "Something was lost. That must not happen."

chapter "What the server remembers"
typed "teal status"
teal --config "$folder/teal.toml" status
typed "teal history"
teal --config "$folder/teal.toml" history
say ""
went_well "Two releases went live, a broken one did not, and no request was lost."

if [ "$keep" = yes ]; then
  # Whoever plays with it begins with what serves.
  git reset --quiet --hard HEAD~1
  chapter "It is still up"
  say "  the app    http://localhost:$proxy/ (and /notes, /api/health)" \
    "  its code   $folder/notebook: change it, commit, git push production main" \
    "  the CLI    $(command -v teal) --config $folder/teal.toml status" \
    "  stop it    $OLDPWD/scripts/quickstart.sh --stop $folder"
else
  chapter "What to do next"
  say "  scripts/quickstart.sh --keep      the same, and it stays up to play with" \
    "  README.md                         your own app on your own server, in ten minutes" \
    "  scripts/test.sh                   everything that is tested"
fi
