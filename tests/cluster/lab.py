"""A real Slurm on this machine: a login node and compute nodes, each in namespaces of its own.

Every process, mount and network belongs to the login node's namespaces (login.sh), which end with this process, however
it ends. Several clusters may run at the same time.
"""

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

HERE = Path(__file__).parent
LOGIN_ADDRESS = "10.77.0.254"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "nsenter", "ip")
# the tests may run inside a job of a real one; with other kernels of BLAS in some jobs proposals differ in last digits
_LEFT_OUT = ("SLURM", "PBS_", "LSB_", "OPENBLAS_CORETYPE")
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")

_SLURM_CONF = """\
ClusterName=test
SlurmctldHost=login({login})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1900
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,batch_sched_delay=0,sched_interval=2
# two cores and 4 GB a node, whatever this machine has
SlurmdParameters=config_overrides
NodeName=n[1-{nodes}] NodeAddr=10.77.0.[1-{nodes}] CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=n[1-{nodes}] Default=YES MaxTime=24:00:00 State=UP OverSubscribe=NO
# a node that is silent for this long is down, and a job that it ran is over
SlurmdTimeout=8
ReturnToService=2
KillWait=5
MinJobAge=86400
RebootProgram=/bin/true
"""


def missing() -> str:
    """Why no cluster can be started here, "" when one can."""
    if os.geteuid() != 0:
        return "namespaces and slurmd need root"
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        return (
            f"{', '.join(lacking)} not found; on Debian: apt install --no-install-recommends slurm-wlm munge iproute2"
        )
    probe = ["unshare", *_NAMESPACES, "--fork", "ip", "link", "add", "nodes", "type", "bridge"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"no networks of namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Cluster:
    """A running Slurm whose files are in `folder` (a short path: sockets are in it); `with` stops it.

    Attributes:
        folder: configuration, logs (log/) and state; removed at the end.
        nodes: names of the compute nodes.
        env: what a process on the login node needs in its environment to find this Slurm.
    """

    def __init__(self, folder: Path, n_nodes: int = 4):
        self.folder = folder
        self.nodes = [f"n{i}" for i in range(1, n_nodes + 1)]
        mine = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        self.env = {**mine, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> "Cluster":
        self._write_files()
        command = ["unshare", *_NAMESPACES, "--fork", "--mount-proc", "--kill-child"]
        with (self.folder / "log" / "login").open("w") as log:
            self._login = subprocess.Popen(
                [*command, "bash", HERE / "login.sh", self.folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.env,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_until_ready(self) -> None:
        if self._login.stdout.readline() != "ready\n":
            raise RuntimeError(f"the login node did not start\n{self._last_words()}")
        for node in self.nodes:
            self.boot(node)
        self.wait_for(lambda: self.idle() == self.nodes, "all nodes idle")

    def __exit__(self, *_exception) -> None:
        self._login.stdin.close()
        self._login.wait(20)
        self._login.stdout.close()
        shutil.rmtree(self.folder)

    def _write_files(self) -> None:
        for name in ("log", "state", "munge"):
            (self.folder / name).mkdir(parents=True)
        for node in self.nodes:
            (self.folder / "spool" / node).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        (self.folder / "munge" / "key").write_bytes(secrets.token_bytes(1024))
        (self.folder / "munge" / "key").chmod(0o600)
        conf = _SLURM_CONF.format(folder=self.folder, nodes=len(self.nodes), login=LOGIN_ADDRESS)
        (self.folder / "slurm.conf").write_text(conf)
        addresses = [f"{LOGIN_ADDRESS} login", *(f"10.77.0.{node[1:]} {node}" for node in self.nodes)]
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "\n".join(addresses) + "\n")
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # unknown names fail at once

    def boot(self, node: str) -> None:
        """Switch a node on."""
        self._order("boot", node)

    def crash(self, node: str) -> None:
        """Cut a node's power."""
        self._order("crash", node)

    def freeze(self, node: str) -> None:
        """Stop every Python process on a node, as if its file system hung; they go on when Slurm ends their job."""
        (login,) = psutil.Process(self._login.pid).children()
        daemons = [p for p in login.children(recursive=True) if p.cmdline()[-2:] == ["-N", node]]
        for process in min(daemons, key=lambda p: p.create_time()).parent().children(recursive=True):
            if "python" in Path(process.exe()).name:
                process.suspend()

    def report_down(self, node: str) -> None:
        """Tell Slurm what it notices itself within 30 s: the node is down, its jobs are over."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")

    def _order(self, verb: str, node: str) -> None:
        self._login.stdin.write(f"{verb} {node}\n")
        self._login.stdin.flush()

    def command(self, *words: str | Path, cwd: Path | None = None) -> list[str]:
        """A command line that runs the words on the login node."""
        (init,) = psutil.Process(self._login.pid).children()
        return [
            "nsenter",
            "--target",
            str(init.pid),
            *_NAMESPACES,
            "env",
            f"--chdir={cwd or self.folder}",
            *map(str, words),
        ]

    def run(self, *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """Run a command on the login node, `env` added to its environment; return what it printed."""
        command, environ = self.command(*words, cwd=cwd), {**self.env, **(env or {})}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.stdout

    def idle(self) -> list[str]:
        """Names of the nodes that are up and have no job."""
        return self.run("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N").split()

    def jobs(self, states: Sequence[str] = ()) -> list[str]:
        """Ids of the jobs in the queue, or of those in the given states."""
        chosen = [f"--states={','.join(states)}"] if states else []
        return self.run("squeue", "--noheader", "--format=%i", "--sort=i", *chosen).split()

    def state(self, job: str) -> str:
        """A job's state, also after its end, such as RUNNING or TIMEOUT."""
        return self._field("JobState", "job", job)

    def nodes_of(self, job: str) -> list[str]:
        """The nodes that a job runs on, or ran on."""
        return self.run("scontrol", "show", "hostnames", self._field("NodeList", "job", job)).split()

    def _field(self, name: str, *of: str) -> str:
        shown = self.run("scontrol", "--oneliner", "show", *of)
        return re.search(rf"\b{name} *= *(\S+)", shown).group(1)

    def last_job(self) -> int:
        """The number of the last job that was submitted; they count up from 1."""
        return int(self._field("NEXT_JOB_ID", "config")) - 1

    def wait_for(self, condition: Callable[[], object], what: str, timeout_s: float = 240) -> None:
        """Return once the condition holds.

        Raises:
            TimeoutError: it did not within the time; with the logs' last lines.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if self._login.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {timeout_s:g} s\n{self._last_words()}")
            time.sleep(0.05)

    def _last_words(self) -> str:
        queue = "" if self._login.poll() is not None else self.run("squeue") + self.run("sinfo", "--Node", "--long")
        logs = [self.folder / "log" / name for name in ("login", "slurmctld")]
        return queue + "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs if log.exists())
