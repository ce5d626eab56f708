"""Scorers: interpreters of `Gemma`, each its own way to say how much a node matters."""
