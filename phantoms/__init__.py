"""Ground truths: seeded specimens of known composition. ``dir(phantoms)`` lists what there is."""

from fusedtomo.front import front

front(
    "phantoms",
    {
        "PhantomSpec": "phantoms.spec",
        "list_phantoms": "phantoms.registry",
        "make_phantom": "phantoms.registry",
    },
)
