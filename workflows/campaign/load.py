"""How does a campaign file become a campaign that can run? It is read, what it names is found, and both are checked."""

from pathlib import Path

from fusedtomo.errors import InputError, nearest
from fusedtomo.incoming import read_json
from fusedtomo.toml import read_toml, validated
from workflows.campaign.config import CampaignConfig
from workflows.campaign.experience import started
from workflows.campaign.setup import Setup
from workflows.campaign.specimen import VolumeSpec, check_size, checked_elements


def load_campaign(path: str | Path, size: int | None = None) -> CampaignConfig:
    """Read and validate a campaign file; raise InputError naming file, field, value and cure.

    A run folder's own campaign.json is one as well. With `size` the specimen has so many voxels along each edge.
    """
    content = read_json(path, "a campaign file") if Path(path).suffix == ".json" else read_toml(path)
    config = validated(CampaignConfig, content, path)
    try:
        config = located(config, Path(path).parent)
        if size is not None:
            config = config.resized(size)
        _check_specimen(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return config


def located(config: CampaignConfig, folder: Path) -> CampaignConfig:
    """The same campaign with its files read: the volume of its specimen, the prior of its search.

    Their paths are relative to `folder`. A prior that was read once stands in the campaign.

    Raises:
        InputError: a file cannot be read, or has changed since it was, or is no prior of this campaign.
    """
    return _with_prior(_with_volume(config, folder), folder)


def _with_volume(config: CampaignConfig, folder: Path) -> CampaignConfig:
    if not isinstance(config.phantom, VolumeSpec):
        return config
    try:
        found = config.phantom.found(folder)
    except InputError as error:
        raise InputError(f"'phantom.volume': {error}") from None
    size = found.size or found.voxels // config.bins
    return config.model_copy(update={"phantom": found.model_copy(update={"size": size})})


def _with_prior(config: CampaignConfig, folder: Path) -> CampaignConfig:
    prior = config.search.prior
    if prior is None or prior.content:
        return config
    search = config.search.model_copy(update={"prior": started(config, prior, folder)})
    return config.model_copy(update={"search": search})


def _check_specimen(config: CampaignConfig) -> None:
    """Refuse what the specimen cannot have; otherwise every trial would fail by it."""
    name, elements = config.phantom.name, checked_elements(config.phantom)
    for condition in config.conditions():
        _check_condition(config.setup(condition), elements)
        config.cheap(condition)  # refuses slabs as wide as the specimen
    for modality, names in (("haadf", ("HAADF",)), ("chemical", elements)):
        snr = getattr(config.acquisition, modality).snr
        if isinstance(snr, dict) and set(snr) != set(names):
            raise InputError(
                f"'acquisition.{modality}.snr' is given for {', '.join(snr) or 'nothing'}, but phantom '{name}' needs "
                f"it for {', '.join(names)}; give one number for all, or one for each of these"
            )


def _check_condition(setup: Setup, elements: tuple[str, ...]) -> None:
    """Refuse what a condition assumes of a specimen that its own is not."""
    check_size(setup.phantom, setup.bins)
    depth, size, unmapped = setup.solver.depth, setup.size, setup.acquisition.unmapped
    if depth not in (None, size):
        raise InputError(
            f"'solver.depth' = {depth}: the specimen is {size} voxels deep, and so is its truth; leave it out"
        )
    mapped = [element for element in elements if element not in unmapped]
    if not mapped:
        raise InputError(f"'acquisition.unmapped' names all of {', '.join(elements)}; leave one to be mapped")
    for where, named, known in (
        ("acquisition.unmapped", unmapped, elements),
        ("solver.chemical_by_element", setup.solver.chemical_by_element, mapped),
        ("solver.tv_by_element", setup.solver.tv_by_element, mapped),
    ):
        for element in named:
            if element not in known:
                raise InputError(f"'{where}' names '{element}', which is not mapped; {nearest(element, known)}")
