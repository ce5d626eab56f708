"""`semantic-scout doctor`: what is there, what is wrong, and what mends it."""
