#!/bin/bash
# The login node: the first process of a namespace that holds the whole cluster, so that everything dies with it.
# It boots and cuts the power of nodes as told on standard input ("boot n1", "crash n1"), and ends when that is closed,
# be it by a killed test run.
set -euo pipefail
folder=$1
here=$(dirname "$(readlink -f "$0")")
export SLURM_CONF=$folder/slurm.conf

hostname login
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/resolv.conf" /etc/resolv.conf
ip link set lo up
ip link add nodes type bridge
ip addr add 10.77.0.254/24 dev nodes
ip link set nodes up

# --force: the folder may be closed to other users, and only root is served
munged --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" --pid-file="$folder/munge/pid" \
       --log-file="$folder/log/munged" --seed-file="$folder/munge/seed" --num-threads=2
slurmctld
until scontrol ping | grep --quiet "is UP"; do sleep 0.02; done
echo ready

declare -A power
while read -r order node; do
  case $order in
    boot) bash "$here/node.sh" "$folder" "$node" > "$folder/log/boot.$node" 2>&1 < /dev/null & power[$node]=$! ;;
    crash) kill -KILL "${power[$node]}" && wait "${power[$node]}" || true ;;
  esac
done
