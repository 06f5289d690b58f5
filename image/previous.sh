#!/usr/bin/env bash
# Builds the image and copies the chart of the newest release before this commit (a tag such as v1.2.3), for the test of
# the upgrade from it. Without one it says so, and leaves nothing: the test is skipped then.
#
# Writes into the folder `previous` of where cargo builds: `roadstead.tar` and `chart`.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${CARGO_TARGET_DIR:-target}")/previous
if ! tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' HEAD^ 2>/dev/null); then
  rm -rf "$out"
  echo "no release has a tag yet: the upgrade from one is not tested"
  exit
fi
commit=$(git rev-parse "$tag^{commit}")
[ "$(cat "$out/commit" 2>/dev/null)" != "$commit" ] || exit 0

rm -rf "$out/source" "$out/chart" "$out/roadstead.tar"
git worktree prune
git worktree add --quiet --force --detach "$out/source" "$commit"
trap 'git worktree remove --force "$out/source"' EXIT
CARGO_TARGET_DIR=$out/target "$out/source/image/build.sh"
cp -r "$out/source/charts/roadstead" "$out/chart"
cp "$out/target/image/roadstead.tar" "$out/"
echo "$commit" >"$out/commit"
