"""The campaign: search, steering, products and the command line; the only place that imports Parsl."""
