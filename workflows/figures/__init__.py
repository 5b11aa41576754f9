"""How results are drawn: data first, then drawing."""
