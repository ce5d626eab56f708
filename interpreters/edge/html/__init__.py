"""An answer as one page that needs nothing else: no network, no other file, and no script to be read."""
