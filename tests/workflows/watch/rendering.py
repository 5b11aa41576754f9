"""What a person sees: renderables as plain text, or with the style of every piece."""

import io

from rich.console import Console


def shown(renderable, width=80):
    """The text on a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def styled(renderable, width=80):
    """(text, style) of the pieces of every line."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    return [[(one.text, one.style) for one in line] for line in console.render_lines(renderable)]
