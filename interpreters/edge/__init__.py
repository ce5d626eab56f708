"""Where interpreters are chosen and programs are run: the commands."""
