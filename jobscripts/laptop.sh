#!/usr/bin/env bash
# A campaign on one machine without a scheduler: ./jobscripts/laptop.sh CONFIG [options of `fusedtomo run`]
# Run it again to resume.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/fusedtomo run "$@" --machine laptop
