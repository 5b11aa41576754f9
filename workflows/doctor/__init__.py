"""Is this installation, and a machine, fit to run a campaign? One check a line, with a cure where one fails."""

from workflows.doctor.examination import examine

__all__ = ["examine"]
