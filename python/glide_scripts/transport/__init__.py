"""What the clients of redis-py and valkey-py share that use this package's connections."""
