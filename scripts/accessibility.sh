#!/usr/bin/env bash
# Holds every page of the dashboard against axe's rules of accessibility, in a real Chromium, light, dark and narrow. Not a
# part of the tests: it fetches axe-core with npm.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

need_cargo
need_programs << 'LIST'
chromedriver chromium-driver
npm npm
python3 python3
git git
LIST

target=${CARGO_TARGET_DIR:-target}
cargo build --quiet
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" axe-core@4
python3 scripts/screenshots/axe.py "$target/debug/teal" "$folder/node_modules/axe-core/axe.min.js"
