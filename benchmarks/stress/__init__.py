"""``make stress``: everything at once, and what must hold all the while."""
