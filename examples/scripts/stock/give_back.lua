#!lua
-- Undo an order's reservation. May run twice: the second time there is nothing to undo.
--@key stock
--@key held
--@key until_when
--@arg order: str
--@returns None
--@idempotent
local count = redis.call('HGET', KEYS[2], ARGV[1])
if count then
  redis.call('INCRBY', KEYS[1], count)
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return false
