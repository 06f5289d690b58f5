#!/usr/bin/env bash
# Looks for inputs that break what must hold: fuzz/run.sh SECONDS [TARGET]
# With SEED set, what is tried first is the same each time.
# The flags are those of cargo-fuzz, which are stable ones as long as no sanitizer is asked for; none of our code is
# unsafe. What is found is kept in target/fuzz; an input that broke something goes into fuzz/corpus with its repair.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
targets=("${2:-}")
[[ -n ${targets[0]} ]] || targets=(review patch subject expression)
triple=$(rustc -vV | sed -n 's/^host: //p')
work=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
flags=(-Cpasses=sancov-module --cfg=fuzzing)
for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$flag")
done
# With --target the flags are not for build scripts and macros.
RUSTFLAGS="${flags[*]}" CARGO_TARGET_DIR=$work \
    cargo build --quiet --release --locked --target "$triple" --manifest-path fuzz/Cargo.toml --bins
for target in "${targets[@]}"; do
    echo "fuzz: $target, $seconds s"
    found=$work/found/$target
    mkdir -p "$found" "$work/broken"
    log=$work/$target.log
    if ! "$work/$triple/release/$target" -max_total_time="$seconds" ${SEED:+-seed="$SEED"} -timeout=10 -rss_limit_mb=1024 -max_len=32768 \
        -print_final_stats=1 -artifact_prefix="$work/broken/$target-" "$found" "fuzz/corpus/$target" >"$log" 2>&1; then
        tail -n 40 "$log"
        exit 1
    fi
    grep -E 'stat::number_of_executed_units|DONE' "$log"
done
