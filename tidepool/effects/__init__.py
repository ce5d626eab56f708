"""The effects: what programs may ask of the world. Each module holds operations, then smart constructors."""
