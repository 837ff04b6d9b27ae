"""Plugins: hook specs, one base a kind, discovery and lookup."""
