"""Measurements: generated mail, a harness for full-screen programs, and one command that runs all (`make bench`)."""
