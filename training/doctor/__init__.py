"""What may keep a server from starting, or from being what it could be on this machine."""
