#!/bin/bash
# A job of a stand-in: the Slurm job that runs a submitted script as PBS or LSF would, with their variables, without
# Slurm's, and with their way of ending it. Usage: job.sh pbs|lsf FOLDER SCRIPT WALLTIME_S SLOTS_PER_NODE DIRECTORY
scheduler=$1 folder=$2 script=$3 walltime_s=$4 slots=$5 directory=$6
job=$SLURM_JOB_ID
hosts=$folder/$job.hosts
grace_s=2  # between the signal that asks and the one that kills

for host in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
  for _ in $(seq "$slots"); do echo "$host"; done
done > "$hosts"
for name in $(compgen -v SLURM); do unset "$name"; done

if [ "$scheduler" = pbs ]; then
  export PBS_JOBID=$job.test PBS_NODEFILE=$hosts
  limit_signal=TERM
  limit_words="=>> PBS: job killed: walltime $((walltime_s + 1)) exceeded limit $walltime_s"
else
  export LSB_JOBID=$job LSB_BATCH_JID=$job LSB_DJOB_HOSTFILE=$hosts LSB_DJOB_NUMPROC=$(wc -l < "$hosts")
  export LSB_HOSTS=$(paste -sd" " "$hosts") LSB_MCPU_HOSTS=$(uniq -c "$hosts" | awk '{printf "%s %s ", $2, $1}')
  limit_signal=USR2
  limit_words="TERM_RUNLIMIT: job killed after reaching LSF run time limit."
fi

# both signal every process of a job: all that are in the script's session
end() { pkill "-$1" -s "$body"; sleep "$grace_s"; pkill -KILL -s "$body"; }
past_limit() {
  { sleep "$walltime_s"; } 2> /dev/null || return  # bash would report its end
  touch "$folder/$job.past_limit"
  echo "$limit_words" >&2
  end "$limit_signal"
}

cd "$directory" || exit 1
trap 'end TERM' TERM
setsid "$script" &
body=$!
past_limit &
clock=$!
while kill -0 "$body" 2> /dev/null; do wait "$body"; done  # a trap ends a wait
wait "$body"
code=$?
pkill -P "$clock"
exit "$code"
