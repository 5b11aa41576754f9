"""The error of a run that has no worker left."""

from fusedtomo.errors import TryAgain


class WorkersLost(TryAgain):
    """No worker can answer any more."""

    def __init__(self, reason: str):
        super().__init__(f"all workers are lost ({reason}); nothing else is: run the same command again")
