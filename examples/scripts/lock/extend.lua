#!lua
-- Gives the holder of a lock more time. False: it holds it no longer.
--@key lock
--@arg holder: str
--@arg ttl_ms: int
--@returns bool
--@idempotent
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
  return false
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 1
