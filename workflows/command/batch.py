"""`fusedtomo submit`: how does a campaign go to a batch scheduler?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from workflows.command.app import Account, Config, Nodes, Queue, RunOut, Walltime, app, campaign_file, example, say


@app.command(
    epilog=example(
        "fusedtomo submit quickstart --machine slurm --nodes 2 --dry-run",
        "fusedtomo submit quickstart --machine polaris --account PROJECT",
    )
)
def submit(
    config: Config,
    machine: Annotated[str, typer.Option("--machine", "-m", help="profile of configs/machines, or a TOML file")],
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
    out: RunOut = None,
    script: Annotated[Path | None, typer.Option(help="the job script; default: job.sh in the run folder")] = None,
    max_jobs: Annotated[int, typer.Option(min=1, help="jobs of the chain at most")] = 20,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the script, and send nothing")] = False,
) -> None:
    """Send a campaign to a batch scheduler: a job that goes on by a next one until the map is complete."""
    from workflows.batch.submit import submit as send
    from workflows.machines import Wishes, load_machine

    wished = Wishes(account, queue, nodes, walltime).applied(load_machine(machine))
    send(Console(), say, campaign_file(config), wished, machine, out, script, max_jobs, dry_run)
