#!/bin/bash

#PBS -S /bin/bash
#PBS -N parsl.trials.block-0.TIME
#PBS -l walltime=01:00:00
#PBS -l select=2:ncpus=32
#PBS -o /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stdout
#PBS -e /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stderr
#PBS -r n
#PBS -M YOU@EXAMPLE.ORG
#PBS -m ae
#PBS -l place=scatter:excl

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
    pbs_tmrsh "$host" /bin/bash "$start" &
done
wait
