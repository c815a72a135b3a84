#!/usr/bin/env bash
# Set-up and all checks: lint, types, rebuilt objects, tests. The last line is `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."

npm ci --no-audit --no-fund
npm run --silent lint

if command -v clang-19 >/dev/null && command -v llvm-strip-19 >/dev/null; then
  rebuilt=$(mktemp -d)
  trap 'rm -rf "$rebuilt"' EXIT
  cp -r bpf-objects/. "$rebuilt"
  make -s -C "$rebuilt" clean all
  for object in bpf-objects/*.o; do
    cmp "$object" "$rebuilt/$(basename "$object")" || { echo "$object differs from what its C source gives: run make -C bpf-objects" >&2; exit 1; }
  done
else
  echo "bpf-objects not rebuilt: no clang-19 here" >&2
fi

report=$(mktemp)
status=0
npx vitest run --reporter=default --reporter=json --outputFile.json="$report" || status=$?
node -e '
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
  console.log(`${passed} passed, ${failed} failed` + (skipped ? `, ${skipped} skipped` : ""));
' "$report"
exit "$status"
