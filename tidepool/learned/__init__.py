"""A scorer that was learnt: features of what a scorer sees, trees over them, and the digits they come to."""
