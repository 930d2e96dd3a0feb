#!/usr/bin/env bash
# Runs every check of this project: format, lints, tests. Installs, with apt, the programs that the tests drive for real,
# but only those that are missing; as an ordinary user it says what to install instead.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

need_cargo
for wanted in fmt:rustfmt clippy:clippy; do
  cargo "${wanted%%:*}" --version > /dev/null 2>&1 ||
    stop "\`cargo ${wanted%%:*}\` is missing: run \`rustup component add ${wanted##*:}\`, then run this again."
done
need_programs << 'LIST'
cc build-essential
git git
ssh openssh-client
sshd openssh-server
nginx nginx
chromedriver chromium-driver
python3 python3
node nodejs
npm npm
LIST
# A mail server for the tests; a module of the system's own Python, and no program.
/usr/bin/python3 -c "import aiosmtpd" 2> /dev/null || install_packages python3-aiosmtpd

# What only root can do is tried by root alone: disks that lose their power, clocks that jump.
if [ "$(id -u)" -eq 0 ]; then
  need_programs << 'LIST'
mkfs.btrfs btrfs-progs
faketime faketime
LIST
fi

echo "== format"
cargo fmt --check
echo "== lints"
cargo clippy --quiet --all-targets --locked -- -D warnings
echo "== tests"
cargo test --locked
