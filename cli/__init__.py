"""The command line: verbs for people and scripts, and the one place that puts the parts together."""
