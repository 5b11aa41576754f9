"""What is a check, and how is it run so that it never hangs and always says one line?"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from fusedtomo.errors import InputError

LIMIT_S = 60.0


class Unfit(InputError):
    """Something is not fit for a campaign: one line with what was found, and the cure."""


@dataclass(frozen=True)
class Check:
    """A question to this installation.

    Attributes:
        name: of what is checked.
        ask: returns what was found, or raises; Unfit where a cure is known.
        matters: whether a campaign on this machine needs it.
        limit_s: seconds after which it counts as failed.
    """

    name: str
    ask: Callable[[], str]
    matters: bool = True
    limit_s: float = LIMIT_S


def run(console: Console, check: Check) -> bool:
    """Run a check and print its line; return whether the campaign may go on."""
    with console.status(check.name):
        fit, said = _answer(check)
    word = "[green]ok[/green]      " if fit else "[red]failed[/red]  " if check.matters else "[dim]optional[/dim]"
    console.print(f"  {word} {check.name}: {escape(said)}", soft_wrap=True, highlight=False)
    return fit or not check.matters


def _answer(check: Check) -> tuple[bool, str]:
    """Asked in a thread: a file system that is gone answers never, and no signal ends the wait for it."""
    found: list[tuple[bool, str]] = []

    def ask() -> None:
        try:
            found.append((True, check.ask()))
        except InputError as error:
            found.append((False, str(error)))
        except Exception as error:
            found.append((False, f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(check.limit_s)
    return found[0] if found else (False, f"no answer within {check.limit_s:g} s")
