#!/usr/bin/env bash
# Tests of the chart with Helm 4 (`helm`) and Helm 3 (`helm3`) from PATH; ends with `N passed, N failed`.
# Arguments are passed on: `run.sh -v` names each test, `run.sh -k notes` runs those with "notes" in their name.
set -euo pipefail
exec python3 -B "$(dirname "$0")/chart.py" "$@"
