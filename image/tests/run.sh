#!/usr/bin/env bash
# Tests of the image; ends with `N passed, N failed, N skipped`. What needs the image itself is skipped, with a line that
# says so, until `make image` has made it. Arguments are passed on: `run.sh -v` names each test.
set -euo pipefail
exec python3 -B "$(dirname "$0")/images.py" "$@"
