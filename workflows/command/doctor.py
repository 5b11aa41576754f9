"""`fusedtomo doctor`: is this installation, and every worker that a machine gives, fit?"""

import typer
from rich.console import Console

from workflows.command.app import Account, MachineName, Nodes, Queue, Walltime, Workers, app, example


@app.command(epilog=example("fusedtomo doctor", "fusedtomo doctor --machine perlmutter --account PROJECT"))
def doctor(
    machine: MachineName = "laptop",
    workers: Workers = None,
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
) -> None:
    """Check this installation and every worker that a machine gives: versions, GPUs, MPI, disks, network, a trial."""
    from workflows.doctor import examine
    from workflows.machines import Wishes

    wishes = Wishes(account, queue, nodes, walltime, workers)
    raise typer.Exit(0 if examine(Console(), machine, wishes) else 1)
