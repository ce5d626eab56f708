"""How a hypothetical edit of a definition is made: one module for each thing that a change is made to. Pure."""
