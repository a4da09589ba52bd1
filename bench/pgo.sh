#!/usr/bin/env bash
# Builds the fastest binary: what is hot is found by running it, and laid out accordingly (profile-guided optimisation).
#
#     bench/pgo.sh [OUTPUT]        # default: target/pgo/tollgate
#
# Three steps: a binary that counts what it does; load on it, from `tollgate bench`; a binary that is built from the counts.
# Takes twice a release build and half a minute, needs rustup's component llvm-tools (added if it is missing), and Linux
# for the load. A profile fits the source and the compiler that it was made with, so none is kept in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/pgo
output=${1:-$work/tollgate}
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[[ -x $profdata ]] || rustup component add llvm-tools

# Named by its target, so that the flags do not reach build scripts and macros.
build() {
    RUSTFLAGS=$2 CARGO_TARGET_DIR=$work/$1 cargo build --release --locked --package tollgate --bin tollgate --target "$host"
}

# What gateways are asked for most, in the proportions of the scenarios. Thresholds are of no interest here.
train() {
    local scenario
    for scenario in steady streams big-bodies mixed-tenants cache; do
        "$1" bench "$scenario" --closed --rounds 1 --warm-up 1s --duration 4s || [[ $? -eq 1 || $? -eq 3 ]]
    done
}

rm -rf "$work/counts"
build counting "-Cprofile-generate=$work/counts"
train "$work/counting/$host/release/tollgate"
"$profdata" merge -o "$work/tollgate.profdata" "$work/counts"
build optimised "-Cprofile-use=$work/tollgate.profdata"
mkdir -p "$(dirname "$output")"
cp "$work/optimised/$host/release/tollgate" "$output"
printf 'built %s\n' "$output"
