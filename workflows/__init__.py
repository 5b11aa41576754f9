"""The campaign: search, steering, products and the command line; the only place that imports Parsl.

``dir(workflows)`` lists what a notebook needs of it; each name is loaded when it is used.
"""

from fusedtomo.front import front

front(
    "workflows",
    {
        "CampaignConfig": "workflows.campaign.config",
        "read_atlas": "workflows.maps.atlas",
        "weights_for": "workflows.maps.lookup",
        "trials": "workflows.maps.tables",
        "run_map": "workflows.maps.tables",
        "write_view": "workflows.report.one_volume",
    },
)
