#!lua
-- Write a value that a lock guards, unless a later holder of the lock has already written.
--@key value
--@arg fence: int -- the writer's fencing token
--@arg text: str
--@returns None
--@idempotent
local last = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
if tonumber(ARGV[1]) < last then
  return redis.error_reply('STALE_FENCE ' .. ARGV[1] .. ' came after ' .. last)
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'text', ARGV[2])
return false
