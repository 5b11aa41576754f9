#!/bin/bash

#SBATCH --job-name=parsl.trials.block-0.TIME
#SBATCH --output=/RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stdout
#SBATCH --error=/RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stderr
#SBATCH --nodes=2
#SBATCH --time=60
#SBATCH --ntasks-per-node=1
#SBATCH --no-requeue
#SBATCH --cpus-per-task=8
#SBATCH --mem=16384M
#SBATCH --mail-user=YOU@EXAMPLE.ORG
#SBATCH --mail-type=END,FAIL
#SBATCH --account=ACCOUNT


export NUMBA_NUM_THREADS=1
export OMP_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export MKL_NUM_THREADS=1
export PATH=/VENV/bin:$PATH


export JOBNAME="parsl.trials.block-0.TIME"

set -e
export CORES=$SLURM_CPUS_ON_NODE
export NODES=$SLURM_JOB_NUM_NODES

[[ "1" == "1" ]] && echo "Found cores : $CORES"
[[ "1" == "1" ]] && echo "Found nodes : $NODES"
WORKERCOUNT=2
SCRIPT_DIR="/RUN/parsl/000/submit_scripts"
[[ -d $SCRIPT_DIR ]] || SCRIPT_DIR=""

cat << SLURM_EOF > ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh
python3 -m workflows.workers.pool ...
SLURM_EOF
chmod a+x ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh

srun --ntasks 2 -l --ntasks-per-node=1 -c 8 --cpu-bind=none bash ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh

[[ "1" == "1" ]] && echo "Done"
