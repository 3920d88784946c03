"""Alembic's scripts; a package only so that a wheel carries them."""
