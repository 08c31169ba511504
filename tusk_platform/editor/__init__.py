"""What an editor asks about a ``.tsk`` file: what is wrong, what may stand here, what this means, where it is from."""
