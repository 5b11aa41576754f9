#!/bin/bash
#BSUB -J quickstart
#BSUB -o quickstart.o%J
#BSUB -nnodes 1
#BSUB -W 120
#BSUB -rn
#BSUB -P YOUR_ACCOUNT
#BSUB -q batch
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: fusedtomo submit configs/campaigns/quickstart.toml --machine summit --account YOUR_ACCOUNT --queue batch --nodes 1 --walltime 120 --out runs/quickstart --script jobscripts/summit.sh

cd "$LS_SUBCWD"
module load python
export PATH="$PWD"/.venv/bin:"$PATH"

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${FUSEDTOMO_LINK:-1}
if [ "$link" -lt 20 ]; then
    next=$(FUSEDTOMO_LINK=$((link + 1)) bsub -w "ended($LSB_JOBID)" < jobscripts/summit.sh | grep -o "[0-9]*" | head -1)
fi

fusedtomo run configs/campaigns/quickstart.toml --machine summit --workers-in job --walltime 120 --out runs/quickstart
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if { [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; } || fusedtomo status runs/quickstart --complete; then
    [ -z "${next:-}" ] || bkill "$next"
fi
exit $code
