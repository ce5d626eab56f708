"""A broker: a process that keeps a codebase's language server running between questions, for everyone who asks."""
