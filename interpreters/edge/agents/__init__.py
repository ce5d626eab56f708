"""What agents ask: one tool over the Model Context Protocol, `semantic-scout --mcp`."""
