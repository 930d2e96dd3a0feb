#!/usr/bin/env bash
# Kills the server at every place of a deployment where something is written, one after the other, while visitors ask
# without pause; after each kill it asserts that nothing was lost and that what serves is what is committed.
# Takes about five seconds a place. For one seed's tenth, as the tests do it: TEAL_SEED=7 cargo test kill_anywhere
set -euo pipefail
cd "$(dirname "$0")/.."
TEAL_FAULTS=all exec cargo test --locked --test scenarios kill_anywhere -- --nocapture "$@"
