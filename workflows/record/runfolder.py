"""A run folder: one campaign, one journal, one controller at a time."""

import fcntl
import os
from collections.abc import Sequence
from os.path import lexists  # unlike Path's, it is False for a name that cannot be
from pathlib import Path
from typing import Any, Self

from fusedtomo.errors import InputError, TryAgain, unwritable
from fusedtomo.files import replacing
from fusedtomo.incoming import read_json
from fusedtomo.toml import validated
from workflows.campaign import CampaignConfig
from workflows.record.belonging import check_trials
from workflows.record.journal import JOURNAL, TrialResult, replay

CAMPAIGN = "campaign.json"


class RunFolder:
    """The files of a run.

    Opening it for a campaign makes it, or checks that it holds the same one; entering it takes its lock, which the
    kernel releases however the process ends.
    """

    def __init__(self, path: str | Path, config: CampaignConfig):
        self.path, self.config = Path(path), config
        self._lock: int | None = None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """An existing run folder, for reading."""
        stored = Path(path) / CAMPAIGN
        if not lexists(stored):
            cure = "give the --out folder of a `fusedtomo run`"
            raise InputError(f"{path}: not a run folder (no {CAMPAIGN}); {cure}")
        return cls(path, validated(CampaignConfig, read_json(stored, "the campaign.json of the run"), stored))

    @property
    def journal(self) -> Path:
        """Path of the journal."""
        return self.path / JOURNAL

    def trials(self) -> list[TrialResult]:
        """Every trial so far; InputError for one that cannot be of the campaign."""
        trials = replay(self.journal)
        check_trials(self.config, trials, self.journal)
        return trials

    def __enter__(self) -> Self:
        self._make()
        self._take_lock()
        try:
            self.check_campaign()
            self._keep_campaign()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise unwritable(self.path, error, "give another --out") from None

    def _take_lock(self) -> None:
        try:
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(self.path / "lock", error, "give another --out") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._unlock()
            raise TryAgain(
                f"{self.path}: another run is working in this folder; wait for it (fusedtomo status {self.path}), "
                f"or give another --out"
            ) from None

    def check_campaign(self) -> None:
        """Refuse a folder that holds another campaign."""
        stored = self.path / CAMPAIGN
        if stored.exists():
            before = RunFolder.read(self.path).config
            if before.fingerprint() != self.config.fingerprint():
                found = differences(before, self.config).items()
                shown = listed([f"{key} was {old!r} and is now {new!r}" for key, (old, new) in found])
                raise InputError(
                    f"{self.path}: holds another campaign; {shown}: results would mix. "
                    f"Undo the change, or give another --out"
                )
        elif self.journal.exists():
            raise InputError(f"{self.path}: holds a journal but no {CAMPAIGN}; restore it, or give another --out")

    def _keep_campaign(self) -> None:
        with replacing(self.path / CAMPAIGN) as temporary:
            temporary.write_text(self.config.model_dump_json(indent=2) + "\n")


def differences(before: CampaignConfig, now: CampaignConfig) -> dict[str, tuple[Any, Any]]:
    """What alters results and is not the same in both: both values by the key's full name."""
    old, new = (_flat(config.decisive()) for config in (before, now))
    return {key: (old.get(key), new.get(key)) for key in sorted({*old, *new}) if old.get(key) != new.get(key)}


def listed(parts: Sequence[str], most: int = 4) -> str:
    """The first few in a line, and how many more there are."""
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
