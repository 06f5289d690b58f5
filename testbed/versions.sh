#!/usr/bin/env bash
# Tests of the gate on the control plane of each supported version of Kubernetes: holding, the gate's denial, the release,
# our pause, what the controllers write to the status. Prints a table and the figures; a version that failed says where
# its log is.
#
#   testbed/versions.sh [VERSION...]     such as 1.34; without one, each
set -euo pipefail
cd "$(dirname "$0")/.."

# The modules of testbed/tests/e2e that depend on what the API server and the deployment controller do.
about=(aborts break_glass clients forgery hostile namespaces patches pauses quiet races restarts reverts rollbacks
  scaling templates webhook_away)
versions=("$@")
[ $# -gt 0 ] || mapfile -t versions < <(grep '^KUBERNETES=' testbed/tools/generate.sh | grep -oE '1\.[0-9]+\b' | sort -uV)

logs=${CARGO_TARGET_DIR:-target}/versions
mkdir -p "$logs"
total_passed=0 total_failed=0
rows=()
for version in "${versions[@]}"; do
  tools=$(ROADSTEAD_KUBERNETES=$version testbed/tools/build.sh)
  log=$logs/$version.log
  "$tools/kube-apiserver" --version >"$log"
  ended=0
  ROADSTEAD_TOOLS=$tools PATH=$tools:$PATH ${CARGO:-cargo} test --locked -p testbed --test e2e -- \
    --test-threads="${THREADS:-4}" "${about[@]/%/::}" >>"$log" 2>&1 || ended=$?
  # No such line: it did not get as far as running them.
  read -r passed failed < <(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed;.*$/\1 \2/p' "$log" | tail -n 1) || passed=0 failed=1
  [ "$ended" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
  rows+=("$(printf '%-22s %6s %6s' "$(head -n 1 "$log")" "$passed" "$failed")")
  if [ "$failed" -gt 0 ]; then
    sed -n 's/^test \(.*\) \.\.\. FAILED$/  \1/p' "$log" >&2
    rows[-1]+="   $log"
  fi
done
printf '%-22s %6s %6s\n' version passed failed
printf '%s\n' "${rows[@]}"
echo "figure versions ${#versions[@]} count"
echo "figure passed $total_passed count"
echo "figure failed $total_failed count"
[ "$total_failed" -eq 0 ]
