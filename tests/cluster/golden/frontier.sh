#!/bin/bash

#SBATCH --job-name=parsl.trials.block-0.TIME
#SBATCH --output=/RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stdout
#SBATCH --error=/RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.stderr
#SBATCH --nodes=2
#SBATCH --time=120
#SBATCH --ntasks-per-node=1
#SBATCH --no-requeue
#SBATCH --mail-user=YOU@EXAMPLE.ORG
#SBATCH --mail-type=END,FAIL
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --partition=batch
#SBATCH --account=ACCOUNT


module load cray-python
export NUMBA_NUM_THREADS=7
export OMP_NUM_THREADS=7
export OPENBLAS_NUM_THREADS=7
export MKL_NUM_THREADS=7
export FUSEDTOMO_GPU_VENDOR=amd
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

srun --ntasks 2 -l --ntasks-per-node=1 -c 56 --cpu-bind=none --gpus-per-node=8 bash ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh

[[ "1" == "1" ]] && echo "Done"
