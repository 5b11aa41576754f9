#!/bin/bash
#SBATCH --job-name=quickstart
#SBATCH --output=%x.o%j
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --no-requeue
#SBATCH --time=60
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: fusedtomo submit configs/campaigns/quickstart.toml --machine slurm --nodes 1 --walltime 60 --out runs/quickstart --script jobscripts/slurm.sh

cd "$SLURM_SUBMIT_DIR"
export PATH="$PWD"/.venv/bin:"$PATH"

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${FUSEDTOMO_LINK:-1}
if [ "$link" -lt 20 ]; then
    next=$(sbatch --parsable --dependency=afterany:"$SLURM_JOB_ID" --export=ALL,FUSEDTOMO_LINK=$((link + 1)) jobscripts/slurm.sh)
fi

fusedtomo run configs/campaigns/quickstart.toml --machine slurm --workers-in job --walltime 60 --out runs/quickstart
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if { [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; } || fusedtomo status runs/quickstart --complete; then
    [ -z "${next:-}" ] || scancel "$next"
fi
exit $code
