"""Training data: questions about codebases, their rated nodes, and what makes a set of them. Pure."""
