#!lua
-- Take a free lock for a limited time. Returns its fencing token, which grows with each holder, or
-- nothing if another process holds it.
--
-- May run twice: a holder that repeats the call after a lost reply gets the same token.
--@key lock
--@key fence -- counts the holders; never expires
--@arg holder: str -- an id that is new for each attempt to get the lock
--@arg ttl_ms: int
--@returns int | None
--@idempotent
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then
  return false
end
local fence = redis.call('HGET', KEYS[1], 'fence')
if not holder then
  fence = redis.call('INCR', KEYS[2])
  redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'fence', fence)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(fence)
