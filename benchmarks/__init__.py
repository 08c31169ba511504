"""Speed as ratios: each benchmark measures the platform and a peer or a limit in the same run, on the same machine."""
