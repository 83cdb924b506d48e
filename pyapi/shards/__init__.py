"""Several servers: which logical shard is on which, moving one to another, and the SQL of a router before them."""
