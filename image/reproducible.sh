#!/usr/bin/env bash
# Proves that the image is the same wherever it is built: builds it here, and once more from nothing out of a copy of the
# sources in another folder, and compares the digests.
set -euo pipefail
cd "$(dirname "$0")/.."

digest() { sed -n 's/^digest //p'; }

export REVISION=${REVISION:-$(git rev-parse HEAD)}
first=$(image/build.sh | digest)
again=$PWD/target/again
rm -rf "$again"
mkdir -p "$again"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$again"
second=$(CARGO_TARGET_DIR=$again/built "$again/image/build.sh" | digest)
printf 'here        %s\nelsewhere   %s\n' "$first" "$second"
[ "$first" = "$second" ] || { echo "image/reproducible.sh: two builds differ; the second is kept in $again" >&2 && exit 1; }
rm -rf "$again"
