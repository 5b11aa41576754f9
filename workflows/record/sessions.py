"""Which code on which machine made the results of a run folder? RUN/sessions.jsonl, a line for every `fusedtomo run`.

Other code may give other numbers, and often gives the same: a run that goes on with other code is told so, not
refused. Nothing is built from this file but that warning and a line of provenance.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from fusedtomo.files import replacing

SESSIONS = "sessions.jsonl"
# facts of a session that its results may depend on
_CODE = ("fusedtomo", "commit", "plug-ins", "numpy", "scipy", "numba", "scikit-optimize", "scikit-learn")
_LEFT_OUT = ("campaign", "fingerprint", "configuration")  # campaign.json has them

Session = Mapping[str, str]


def read_sessions(run: Path) -> list[Session]:
    """The sessions so far, in order; a line that cannot be read is left out."""
    try:
        lines = (run / SESSIONS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [session for line in lines if (session := _session(line))]


def _session(line: str) -> Session:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}


def write_sessions(run: Path, sessions: Iterable[Session]) -> None:
    """Write the file anew; it is small."""
    with replacing(run / SESSIONS) as temporary:
        temporary.write_text("".join(json.dumps(dict(session)) + "\n" for session in sessions))


def add_session(run: Path, facts: Session) -> str:
    """Note a session by its provenance; return how its code differs from that of earlier ones, "" when it does not."""
    earlier = read_sessions(run)
    kept = {name: value for name, value in facts.items() if name not in _LEFT_OUT}
    write_sessions(run, [*earlier, kept])
    return "; ".join(
        f"{name} was {' and '.join(others)} and is now {facts[name]}"
        for name in _CODE
        if (others := [value for value in _values(earlier, name) if value != facts[name]])
    )


def codes(run: Path) -> str:
    """Versions and commits of all sessions, for provenance, such as ``0.1.0 (4289257...), 0.1.0 (2891472...)``."""
    named = (f"{session.get('fusedtomo')} ({session.get('commit')})" for session in read_sessions(run))
    return ", ".join(dict.fromkeys(named))


def _values(sessions: Iterable[Session], name: str) -> list[str]:
    return list(dict.fromkeys(session[name] for session in sessions if name in session))
