"""The plan as Dagster knows it. The only floor that imports dagster, beside the doors."""
