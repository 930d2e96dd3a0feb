#!/usr/bin/env bash
# A blue-green deployment as a careful team writes it in bash: the live release is copied whole before anything is touched,
# dependencies are installed whenever the commit differs, readiness is asked for every two seconds, and nginx is reloaded.
#
#   old-deploy.sh <root> <repository> <branch> <blue port> <green port> <nginx folder> <install> <build> <start>
set -euo pipefail
root=$1 repository=$2 branch=$3 blue=$4 green=$5 nginx=$6 install=$7 build=$8 start=$9

mkdir -p "$root"/{releases/blue,releases/green,shared,.backups}
active=$(basename "$(readlink "$root/current" 2>/dev/null || echo releases/green)")
if [ "$active" = blue ]; then standby=green port=$green; else standby=blue port=$blue; fi
slot=$root/releases/$standby

# 1. A backup of what serves.
if [ -e "$root/current" ]; then
    cp -a "$root/releases/$active" "$root/.backups/backup-$(date +%Y%m%d-%H%M%S)"
    ls -d "$root"/.backups/backup-* | head -n -5 | xargs -r rm -rf
fi

# 2. The code.
if [ ! -d "$slot/.git" ]; then git clone -q "$repository" "$slot"; fi
git -C "$slot" fetch -q origin "$branch"
git -C "$slot" reset -q --hard FETCH_HEAD
commit=$(git -C "$slot" rev-parse HEAD)

# 3. Dependencies and build, unless this very commit was built here before.
if [ "$(cat "$slot/.build-hash" 2>/dev/null)" != "$commit" ]; then
    began=$(date +%s%N)
    (cd "$slot" && eval "$install" && eval "$build")
    echo "commands $((($(date +%s%N) - began) / 1000000))"
    echo "$commit" >"$slot/.build-hash"
fi

# 4. The service, and five tries to reach it.
if [ -f "$root/shared/$standby.pid" ]; then
    kill "$(cat "$root/shared/$standby.pid")" 2>/dev/null || true
    sleep 1
fi
cd "$slot"
PORT=$port setsid bash -c "exec $start" >>"$root/shared/$standby.log" 2>&1 </dev/null &
echo $! >"$root/shared/$standby.pid"
ready=
for _ in 1 2 3 4 5; do
    sleep 2
    if curl -fsS -o /dev/null "http://127.0.0.1:$port/"; then ready=yes; break; fi
done
[ "$ready" ] || { echo "not healthy"; exit 1; }

# 5. The switch.
echo "upstream app { server 127.0.0.1:$port; }" >"$nginx/upstream.conf"
/usr/sbin/nginx -q -t -p "$nginx" -c nginx.conf
/usr/sbin/nginx -p "$nginx" -c nginx.conf -s reload
ln -sfn "releases/$standby" "$root/current.new"
mv -T "$root/current.new" "$root/current"
echo "live $(date +%s%3N)"
