"""The plan: frozen data that says what will exist. Everything above reads it, nothing below knows of it."""
