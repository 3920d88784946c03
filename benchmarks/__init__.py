"""Measurements that back the project's claims; each prints a table, and JSON with --json FILE."""
