"""Harnesses that break things on purpose, each with controls that show it can fail."""
