"""Pure logic: no clock, no input or output. Arrow tables and numbers in, the same out."""
