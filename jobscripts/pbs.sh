#!/bin/bash
#PBS -N quickstart
#PBS -j oe
#PBS -l select=1:ncpus=32
#PBS -l walltime=01:00:00
#PBS -r n
#PBS -l place=scatter:excl
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: fusedtomo submit configs/campaigns/quickstart.toml --machine pbs --nodes 1 --walltime 60 --out runs/quickstart --script jobscripts/pbs.sh

cd "$PBS_O_WORKDIR"
export PATH="$PWD"/.venv/bin:"$PATH"

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${FUSEDTOMO_LINK:-1}
if [ "$link" -lt 20 ]; then
    next=$(qsub -W depend=afterany:"$PBS_JOBID" -v FUSEDTOMO_LINK=$((link + 1)) jobscripts/pbs.sh)
fi

fusedtomo run configs/campaigns/quickstart.toml --machine pbs --workers-in job --walltime 60 --out runs/quickstart
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if { [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; } || fusedtomo status runs/quickstart --complete; then
    [ -z "${next:-}" ] || qdel "$next"
fi
exit $code
