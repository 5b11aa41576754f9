"""`python -m fusedtomo`: the command, for where the folder of installed scripts is not in PATH.

The command stands in workflows, which imports fusedtomo; to import it here would turn that around. So this asks what is
installed under the name `fusedtomo`, as the script of that name does.
"""

import sys
from importlib.metadata import entry_points


def main() -> None:
    """Run the installed command `fusedtomo`."""
    found = entry_points(group="console_scripts", name="fusedtomo")
    try:
        command = next(iter(found)).load()
    except (StopIteration, ImportError, AttributeError) as error:  # not installed; or installed before files moved
        reason = "is not installed" if isinstance(error, StopIteration) else f"was installed from other files ({error})"
        print(f"error: fusedtomo {reason}; run `{sys.executable} -m pip install .` in its checkout", file=sys.stderr)
        sys.exit(2)
    command()


if __name__ == "__main__":
    main()
