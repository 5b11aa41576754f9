"""Ground truths: seeded, stoichiometric synthetic specimens; no input or output."""
