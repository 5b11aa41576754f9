#!/usr/bin/env bash
# A campaign on one machine with several GPUs, no scheduler: ./jobscripts/workstation.sh CONFIG [options of `fusedtomo run`]
# Run it again to resume. The number of GPUs is set in configs/machines/workstation.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/fusedtomo run "$@" --machine workstation
