"""What the clients of redis-py and valkey-py over this package's connections share."""
