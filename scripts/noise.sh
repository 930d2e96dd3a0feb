#!/bin/sh
# Spoils good texts of everything that strangers can send, and reads them: payloads, refs, push options, what git's hooks say,
# keys, configurations and recipes. A million cases of each unless told otherwise; other ones with TEAL_NOISE_SEED=2.
#
#   ./scripts/noise.sh [how many]
set -eu
cd "$(dirname "$0")/.."
export TEAL_NOISE="${1:-1000000}"
# Readers are quick only when they are optimised; overflows are still looked for.
export CARGO_PROFILE_TEST_OPT_LEVEL=2 CARGO_PROFILE_TEST_OVERFLOW_CHECKS=true
cargo test --lib --bins -- noise whatever mutated_files push_options a_ref_is_one what_a_hook
