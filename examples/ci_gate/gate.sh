#!/usr/bin/env bash
# Asks this checkout's engine the questions and compares it with the committed baseline. Exit code 1: it got worse.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-ci_gate}

# 3: the system failed on some cases. The gate decides whether they are too many.
medqa evaluate cases.jsonl --engine ci_gate.engines:engine --output "$out/candidate.json" \
    --measure Recall@5 --measure Answered --measure CitationPrecision --measure WordF1 || test $? -eq 3
medqa gate ci_gate/baseline.json "$out/candidate.json" --margins ci_gate/margins.toml \
    --junit "$out/gate.xml" --html "$out/gate.html" --markdown "${GITHUB_STEP_SUMMARY:-$out/gate.md}"
