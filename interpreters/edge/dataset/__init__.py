"""Training data on disk: codebases in, sharded examples out."""
