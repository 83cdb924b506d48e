"""Several servers: the router in front of them, and moving logical shards from one to another."""
