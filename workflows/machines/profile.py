"""What does a machine profile say? A validated TOML file (configs/machines/*.toml)."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from fusedtomo.errors import InputError, nearest
from fusedtomo.settings import Settings
from fusedtomo.toml import read_toml, validated
from workflows.machines.quoting import one_line, quoted_words, shell_lines
from workflows.machines.schedulers import SCHEDULERS, Scheduler
from workflows.machines.schedulers.scheduler import Launcher
from workflows.shipped import CONFIGS

MailEvent = Literal["begin", "end", "fail"]
LOCAL = "local"  # the provider that is no batch scheduler


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
_SEVERAL_LINES = ("description", "worker_init")  # the second is shell text by its nature
_ACCELERATOR = re.compile(r"[\w.:/-]+")  # Parsl writes them into the workers' command line as they are


class Machine(Settings):
    """Where trials run, and how workers are started there."""

    name: str = Field(description="the profile's name")
    description: str = Field("", description="what it is for")

    device: Literal["cpu", "gpu"] = Field("cpu", description="what a trial computes on")
    workers: int = Field(0, ge=0, le=4096, description="workers a node; 0: one per accelerator, else per usable core")
    threads_per_worker: int = Field(1, ge=1, le=256, description="numba threads of a worker")
    accelerators: Annotated[int, Field(ge=0, le=64)] | tuple[str, ...] = Field(
        0, description="GPUs of a node, their number or their names; one worker each (a name given twice is shared)"
    )
    gpu_vendor: Literal["nvidia", "amd", "intel"] = Field("nvidia", description="which variable shows a worker its GPU")
    cpus_per_node: int = Field(0, ge=0, le=4096, description="hardware threads of a node; 0: those of this one")
    cpu_affinity: str = Field(
        "none",
        pattern=r"^(none|block|block-reverse|alternating|list(:[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)+)$",
        description="cores of each worker: none, block, block-reverse, alternating, or list:0-7:8-15, one set a worker",
    )
    trial_limit_s: float = Field(3600, gt=0, description="a trial that takes longer is ended and counts as failed")
    scratch: str = Field("", description="folder of a worker's temporary files; default: the system's")
    memory_limit_gb: float = Field(0, ge=0, description="most host memory of a trial's process; 0: no limit")
    ranks: int = Field(1, ge=1, le=4096, description="MPI ranks of a trial, at least")
    device_memory_gb: float = Field(
        0, ge=0, description="memory of a GPU, or a worker's share of a node; larger trials get more ranks; 0: unknown"
    )
    mpi_launch: str = Field("mpiexec -n {ranks}", description="what starts the ranks of a trial")

    provider: str = Field(
        LOCAL, description="who starts the workers: local (this process), or a batch scheduler: slurm, pbs, lsf"
    )
    workers_in: Literal["auto", "job", "blocks"] = Field(
        "auto",
        description="job: on all nodes of the batch job that the controller runs in; blocks: in batch jobs that it "
        "submits; auto: in its job where it has one",
    )
    launcher: Launcher | None = Field(None, description="what starts workers on every node of a block")
    launcher_options: str = Field("", description="added to the launcher's command; of `hosts`, the remote shell")
    bind_option: str = Field("--bind-to", description="mpiexec's option that is set to none: Parsl binds the workers")
    nodes_per_block: int = Field(1, ge=1, le=10000, description="nodes of a batch job")
    init_blocks: int = Field(1, ge=0, le=1000, description="batch jobs submitted at the start")
    min_blocks: int = Field(0, ge=0, le=1000, description="batch jobs kept while there is nothing to do")
    max_blocks: int = Field(1, ge=1, le=1000, description="batch jobs at once")
    max_submissions: int = Field(0, ge=0, description="batch jobs ever submitted in one run; 0: 20 times max_blocks")
    walltime_min: float = Field(0, ge=0, description="minutes of a batch job; 0: no limit")
    drain_min: float = Field(5, ge=0, description="minutes before the end from which no new trial is started")
    account: str = Field("", description="who is charged: project, account or allocation")
    queue: str = Field("", description="queue or partition")
    qos: str = Field("", description="Slurm's quality of service")
    constraint: str = Field("", description="Slurm's constraint on nodes")
    select_options: str = Field("", description="added to PBS's select, such as ngpus=4")
    scheduler_options: Words = Field((), description="more options, as after #SBATCH, #PBS or #BSUB")
    exclusive: bool = Field(
        True, description="Slurm: whole nodes; false shares them, and asks for cpus_per_node and memory_per_node_gb"
    )
    memory_per_node_gb: float = Field(
        0, ge=0, le=1e6, description="Slurm, PBS: memory asked of a node; 0: the cluster's default"
    )
    mail_user: str = Field(
        "",
        pattern=r"^([A-Za-z0-9._%+=-]+(@[A-Za-z0-9.-]+)?)?$",
        description="address that the scheduler writes to; empty: to none",
    )
    mail_events: Annotated[tuple[MailEvent, ...], BeforeValidator(_as_tuple)] = Field(
        ("end", "fail"), min_length=1, description="when it writes: begin, end, fail of a job (LSF: fail is an end)"
    )
    bsub_redirection: bool = Field(True, description="LSF: submit with `bsub < script`")
    request_by_nodes: bool = Field(False, description="LSF: ask with -nnodes (Summit), not with -n and span[ptile]")
    required: tuple[Literal["account", "queue"], ...] = Field(
        (), description="what has no default here and must be given"
    )
    worker_init: str = Field("", description="shell lines before workers start, such as `module load`")

    interface: Words = Field((), description="networks that reach the controller; the first that exists")
    address: str = Field("", description="the controller's address, instead of an interface")
    start_timeout_s: float = Field(180, gt=0, description="seconds until the first worker must have joined")
    heartbeat_period_s: int = Field(5, ge=1, description="seconds between signs of life of a node")
    heartbeat_threshold_s: int = Field(30, ge=2, description="seconds of silence after which a node is lost")
    poll_s: float = Field(60, gt=0, description="seconds between two looks at the scheduler")
    monitoring: bool = Field(False, description="Parsl's own record of tasks and resources, in parsl/monitoring.db")

    @field_validator("*")
    @classmethod
    def _no_control_characters(cls, value: Any, info: ValidationInfo) -> Any:
        """Of every field, so that one that comes to reach a script needs no thought."""
        check = shell_lines if info.field_name in _SEVERAL_LINES else one_line
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                check(text)
        return value

    @field_validator("launcher_options", "bind_option")
    @classmethod
    def _are_words(cls, value: str) -> str:
        quoted_words(value)
        return value

    @field_validator("accelerators")
    @classmethod
    def _are_names(cls, value: int | tuple[str, ...]) -> int | tuple[str, ...]:
        for name in value if isinstance(value, tuple) else ():
            if not _ACCELERATOR.fullmatch(name):
                raise ValueError(f"'{name}' is no name of a GPU; give letters, digits and the signs . : / _ -")
        return value

    @field_validator("provider")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value != LOCAL and value not in SCHEDULERS:
            raise ValueError(f"there is no scheduler '{value}'; {nearest(value, [LOCAL, *SCHEDULERS])}")
        return value

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        """A field that the scheduler does not know would be left out without a word."""
        if self.scheduler is None:  # of a profile that is inside its job, too
            return self
        known_to_some = set().union(*(scheduler.takes for scheduler in SCHEDULERS.values()))
        for name in sorted(known_to_some - self.scheduler.takes):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} means nothing to {self.provider}; say it in scheduler_options")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.provider != LOCAL and not self.walltime_min:
            raise ValueError(f"provider {self.provider} needs walltime_min, the minutes of a batch job")
        if self.walltime_min and self.drain_min >= self.walltime_min:
            raise ValueError(f"drain_min {self.drain_min:g} leaves nothing of walltime_min {self.walltime_min:g}")
        if self.provider != LOCAL and not (self.workers or self.accelerators or self.cpus_per_node):
            raise ValueError(f"provider {self.provider} needs workers, accelerators or cpus_per_node")
        if self.accelerator_names and self.workers > len(self.accelerator_names):
            n = len(self.accelerator_names)
            raise ValueError(f"workers {self.workers} is more than the {n} accelerators; repeat names to share them")
        if self.heartbeat_threshold_s <= self.heartbeat_period_s:
            raise ValueError(f"heartbeat_threshold_s {self.heartbeat_threshold_s} is not above heartbeat_period_s")
        if not self.min_blocks <= self.init_blocks <= self.max_blocks:
            raise ValueError("blocks must rise: min_blocks <= init_blocks <= max_blocks")
        sets = self.cpu_affinity.split(":")[1:]
        if sets and len(sets) != self.workers_per_node:
            raise ValueError(f"cpu_affinity lists {len(sets)} sets of cores for {self.workers_per_node} workers")
        return self

    @property
    def scheduler(self) -> Scheduler | None:
        """The batch scheduler that starts the workers; None where this process does."""
        return None if self.provider == LOCAL else SCHEDULERS[self.provider]

    @property
    def accelerator_names(self) -> tuple[str, ...]:
        """The GPUs of a node by name, one for each worker."""
        many = self.accelerators
        return tuple(str(i) for i in range(many)) if isinstance(many, int) else many

    @property
    def workers_per_node(self) -> int:
        """Workers of one node."""
        cores = self.cpus_per_node or len(os.sched_getaffinity(0))
        return self.workers or len(self.accelerator_names) or max(1, cores // self.threads_per_worker)

    @property
    def cores_asked(self) -> int:
        """Hardware threads asked of a node that is shared."""
        return self.cpus_per_node or self.workers_per_node * self.threads_per_worker

    @property
    def memory_asked_mb(self) -> int:
        """MB (of 2^20 bytes) asked of a node; 0: as the cluster sets it."""
        return math.ceil(1024 * self.memory_per_node_gb)

    @property
    def n_workers(self) -> int:
        """Workers over all blocks at most."""
        return self.workers_per_node * self.nodes_per_block * self.max_blocks

    @property
    def submissions(self) -> int:
        """Batch jobs submitted in one run at most."""
        return self.max_submissions or 20 * self.max_blocks

    @property
    def node_launcher(self) -> Launcher:
        """The launcher, or the scheduler's usual one."""
        return self.launcher or (self.scheduler.launcher if self.scheduler else "single-node")

    def complete(self) -> Self:
        """The profile itself; refused as long as it lacks what only its user knows."""
        for name in self.required:
            if not getattr(self, name):
                raise InputError(
                    f"machine '{self.name}' needs your {name}: give --{name}, "
                    f"or set `{name}` in a copy of its TOML file and give that to --machine"
                )
        return self

    def changed(self, source: str, **fields: Any) -> "Machine":
        """The profile with other values; None leaves a field as it is. `source` is named where one is refused."""
        given = {name: value for name, value in fields.items() if value is not None}
        return validated(Machine, {**self.model_dump(), **given}, source) if given else self

    def with_workers(self, workers: int | None) -> "Machine":
        """The profile with another number of workers a node."""
        if workers is not None and workers < 1:
            raise InputError(f"--workers = {workers}: give 1 or more, or leave it out for the profile's")
        return self.changed("--workers", workers=workers)


@dataclass(frozen=True)
class Wishes:
    """What the command line says about a machine instead of its profile; None: as the profile says."""

    account: str | None = None
    queue: str | None = None
    nodes: int | None = None
    walltime_min: float | None = None
    workers: int | None = None
    workers_in: str | None = None

    def applied(self, machine: Machine) -> Machine:
        """The machine as it is wished for."""
        return machine.with_workers(self.workers).changed(
            "the command line",
            account=self.account,
            queue=self.queue,
            nodes_per_block=self.nodes,
            walltime_min=self.walltime_min,
            workers_in=self.workers_in,
        )

    def options(self) -> list[str]:
        """The words of the command line again."""
        given = {f"--{name.replace('_min', '').replace('_', '-')}": value for name, value in vars(self).items()}
        said = {name: f"{value:g}" if isinstance(value, float) else f"{value}" for name, value in given.items()}
        return [word for name, value in given.items() if value is not None for word in (name, said[name])]


def load_machine(name_or_path: str) -> Machine:
    """Load a profile by name (configs/machines) or by the path of a TOML file."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = [file.stem for file in (CONFIGS / "machines").glob("*.toml")]
        if name_or_path not in known:
            raise InputError(f"there is no machine '{name_or_path}'; {nearest(name_or_path, known)}")
        path = CONFIGS / "machines" / f"{name_or_path}.toml"
    return validated(Machine, read_toml(path), path)
