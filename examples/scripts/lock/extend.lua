#!lua
-- Give the holder of a lock more time. Returns false if it no longer holds the lock.
--@key lock
--@arg holder: str
--@arg ttl_ms: int
--@returns bool
--@idempotent
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
  return false
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 1
