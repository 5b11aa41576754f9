#!/bin/bash

#BSUB -W 60
#BSUB -J parsl.trials.block-0.TIME
#BSUB -o /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.submit.stdout
#BSUB -e /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.submit.stderr
#BSUB -rn
#BSUB -u YOU@EXAMPLE.ORG
#BSUB -N
#BSUB -x
#BSUB -P ACCOUNT
#BSUB -n 64
#BSUB -R "span[ptile=32]"


export NUMBA_NUM_THREADS=1
export OMP_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export MKL_NUM_THREADS=1
export PATH=/VENV/bin:$PATH

export JOBNAME="parsl.trials.block-0.TIME"


start="/RUN/parsl/000/submit_scripts/start_$JOBNAME.sh"
( umask 077  # nobody else shall read this environment
{ export -p; cat <<'COMMAND'
python3 -m workflows.workers.pool ...
COMMAND
} > "$start" )
for host in $(sort -u "${PBS_NODEFILE:-${LSB_DJOB_HOSTFILE:-}}"); do
    blaunch "$host" /bin/bash "$start" &
done
wait
