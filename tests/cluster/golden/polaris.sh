#!/bin/bash

#PBS -S /bin/bash
#PBS -N parsl.trials.block-0.TIME
#PBS -l walltime=01:00:00
#PBS -l select=2:ncpus=64:system=polaris:ngpus=4
#PBS -o /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stdout
#PBS -e /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stderr
#PBS -r n
#PBS -M YOU@EXAMPLE.ORG
#PBS -m ae
#PBS -l filesystems=home:eagle
#PBS -l place=scatter

module use /soft/modulefiles; module load conda
export NUMBA_NUM_THREADS=8
export OMP_NUM_THREADS=8
export OPENBLAS_NUM_THREADS=8
export MKL_NUM_THREADS=8
export FUSEDTOMO_GPU_VENDOR=nvidia
export PATH=/VENV/bin:$PATH
cd /RUN/parsl
export PBS_NODEFILE="${PBS_NODEFILE:-${LSB_DJOB_HOSTFILE:-}}"

export JOBNAME="parsl.trials.block-0.TIME"

set -e
export CORES=$(getconf _NPROCESSORS_ONLN)
[[ "1" == "1" ]] && echo "Found cores : $CORES"
WORKERCOUNT=2
SCRIPT_DIR="/RUN/parsl/000/submit_scripts"
[[ -d $SCRIPT_DIR ]] || SCRIPT_DIR=""

# Deduplicate the nodefile
HOSTFILE="$JOBNAME.nodes"
if [ -z "$PBS_NODEFILE" ]; then
    echo "localhost" > $HOSTFILE
else
    sort -u $PBS_NODEFILE > $HOSTFILE
fi

cat << MPIEXEC_EOF > ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh
python3 -m workflows.workers.pool ...
MPIEXEC_EOF
chmod u+x ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh

mpiexec --cpu-bind none --depth=64 --ppn 1 -n $WORKERCOUNT --hostfile $HOSTFILE /usr/bin/sh ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh

[[ "1" == "1" ]] && echo "All workers done"
