#!/bin/bash
#BSUB -J quickstart
#BSUB -o quickstart.o%J
#BSUB -n 32
#BSUB -R "span[ptile=32]"
#BSUB -W 60
#BSUB -rn
#BSUB -x
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: fusedtomo submit configs/campaigns/quickstart.toml --machine lsf --nodes 1 --walltime 60 --out runs/quickstart --script jobscripts/lsf.sh

cd "$LS_SUBCWD"
export PATH="$PWD"/.venv/bin:"$PATH"

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${FUSEDTOMO_LINK:-1}
if [ "$link" -lt 20 ]; then
    next=$(FUSEDTOMO_LINK=$((link + 1)) bsub -w "ended($LSB_JOBID)" < jobscripts/lsf.sh | grep -o "[0-9]*" | head -1)
fi

fusedtomo run configs/campaigns/quickstart.toml --machine lsf --workers-in job --walltime 60 --out runs/quickstart
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if { [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; } || fusedtomo status runs/quickstart --complete; then
    [ -z "${next:-}" ] || bkill "$next"
fi
exit $code
