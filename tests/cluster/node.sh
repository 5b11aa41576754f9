#!/bin/bash
# A compute node: own network, host name, mounts and processes; shares the file systems. Started by login.sh; killing
# this process is a power cut: everything on the node dies at once.
set -euo pipefail
export folder=$1 node=$2
export SLURM_CONF=$folder/slurm.conf

# In the node's network. Process 1 is the login node here, where the other end of the cable is plugged in.
connect() {
  set -euo pipefail
  nsenter --target 1 --net ip link add "$node" type veth peer name eth0 netns $$
  nsenter --target 1 --net ip link set "$node" master nodes up
  ip link set lo up
  ip addr add "10.77.0.${node#n}/24" dev eth0
  ip link set eth0 up
  exec unshare --uts --ipc --mount --pid --fork --mount-proc --kill-child bash -c power_on
}

# Process 1 of the node; it stays, to reap orphans.
power_on() {
  set -euo pipefail
  # MPICH takes nodes with the same boot_id for one host, and tries shared memory between them
  mount --bind "$folder/boot_id.$node" /proc/sys/kernel/random/boot_id
  hostname "$node"
  slurmd -D -N "$node"
}

ip link delete "$node" 2> /dev/null || true  # a crashed node's cable may still be there
cat /proc/sys/kernel/random/uuid > "$folder/boot_id.$node"
export -f connect power_on
exec unshare --net bash -c connect
