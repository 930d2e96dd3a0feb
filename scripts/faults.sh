#!/usr/bin/env bash
# Kills the server at every place of a deployment where something is written or another process is told to act, one after the
# other, while visitors ask without pause; after each kill it asserts that nothing was lost and that what serves is what is
# committed. The same with a release that is taken back, with rollbacks and with a changed setting. Then it kills every start
# that follows, at one place later each time, until one is left alone.
#
# With --power it cuts the power instead, as root: the server's state and environments are on a file system of their own, ext4
# and btrfs by turns, of which only what had been synced is left when the machine is up again.
#
# Takes five to ten seconds a place. Some places: TEAL_FAULTS=8,30-34 scripts/faults.sh. One seed's tenth, as the tests do
# it: TEAL_SEED=7 cargo test kill_anywhere
set -euo pipefail
cd "$(dirname "$0")/.."
which=kill_anywhere
case "${1:-}" in
  --power)
    which=power
    shift
    if [ "$(id -u)" != 0 ]; then
      echo "Only root can mount a disk to cut the power of: sudo $0 --power" >&2
      exit 2
    fi
    ;;
  -*)
    echo "usage: $0 [--power]" >&2
    exit 2
    ;;
esac
TEAL_FAULTS=${TEAL_FAULTS:-all} exec cargo test --locked --test scenarios "$which" -- --nocapture "$@"
