#!/usr/bin/env bash
# Takes the pictures of the dashboard that README.md shows: a real server, a real Chromium. `scripts/screenshots.sh`
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

need_cargo
need_programs << 'LIST'
chromedriver chromium-driver
python3 python3
git git
LIST

target=${CARGO_TARGET_DIR:-target}
cargo build --quiet
python3 scripts/screenshots/take.py "$target/debug/teal" docs/screenshots
