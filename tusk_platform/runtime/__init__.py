"""The platform in motion: ports opened from plan and environment, and the processes of ``tusk up``."""
