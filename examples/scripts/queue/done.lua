#!lua
-- Report a job as done. Returns false if its lease had ended and another worker got it.
--
-- May run twice: the second time the job is gone, and the reply tells whether it is done.
--@key ready
--@key jobs
--@key finished
--@key attempts
--@key due
--@arg id: str
--@arg attempt: int -- whose lease it is
--@returns bool
--@idempotent
--@include "../lib/now.lua"
local id, now = ARGV[1], now_ms()
if redis.call('HGET', KEYS[4], id) ~= ARGV[2] then
  return redis.call('ZSCORE', KEYS[3], id) and true or false
end
redis.call('ZREM', KEYS[5], id)
redis.call('LREM', KEYS[1], 0, id) -- if its lease had ended, but no one has taken it yet
redis.call('HDEL', KEYS[2], id)
redis.call('HDEL', KEYS[4], id)
redis.call('ZADD', KEYS[3], now, id)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 3600000)
return true
