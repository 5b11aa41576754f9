#!/bin/bash

#BSUB -W 120
#BSUB -J parsl.trials.block-0.TIME
#BSUB -o /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.submit.stdout
#BSUB -e /RUN/parsl/000/submit_scripts/parsl.trials.block-0.TIME.submit.stderr
#BSUB -rn
#BSUB -u YOU@EXAMPLE.ORG
#BSUB -N
#BSUB -P ACCOUNT
#BSUB -q batch
#BSUB -nnodes 2


module load python
export NUMBA_NUM_THREADS=7
export OMP_NUM_THREADS=7
export OPENBLAS_NUM_THREADS=7
export MKL_NUM_THREADS=7
export FUSEDTOMO_GPU_VENDOR=nvidia
export PATH=/VENV/bin:$PATH

export JOBNAME="parsl.trials.block-0.TIME"

set -e
WORKERCOUNT=2
SCRIPT_DIR="/RUN/parsl/000/submit_scripts"
[[ -d $SCRIPT_DIR ]] || SCRIPT_DIR=""

cat << JSRUN_EOF > ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh
python3 -m workflows.workers.pool ...
JSRUN_EOF
chmod a+x ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh

jsrun -n 2 -r 1 -a 1 -c 42 -g 6 /bin/bash ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh &
wait

[[ "1" == "1" ]] && echo "Done"
