"""In the place of SQLAlchemy, which an installation has for Parsl's monitoring alone (tests/conftest.py)."""

raise ImportError("not installed")
