"""Algorithms and their tracking. Knows neither the platform nor Dagster: arrays and mappings in and out."""
