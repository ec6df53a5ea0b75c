#!lua
-- Report a job as failed. It is retried later, or given up after so many attempts. Returns whether it
-- will be retried.
--
-- May run twice: if the job already waits for its retry, that only moves the time a little.
--@key ready
--@key jobs
--@key finished
--@key attempts
--@key due
--@key dead
--@arg id: str
--@arg attempt: int -- whose lease it is
--@arg max_attempts: int
--@arg pause_ms: int
--@arg reason: str
--@returns bool
--@idempotent
--@include "../lib/now.lua"
--@include "lib/bury.lua"
local id, now = ARGV[1], now_ms()
if redis.call('HGET', KEYS[4], id) ~= ARGV[2] then
  -- Its lease had ended and another worker has it, or it was given up.
  return redis.call('HEXISTS', KEYS[2], id) == 1
end
if tonumber(ARGV[2]) >= tonumber(ARGV[3]) then
  redis.call('ZREM', KEYS[5], id)
  redis.call('LREM', KEYS[1], 0, id)
  bury(id, ARGV[5], now)
  return false
end
if redis.call('ZSCORE', KEYS[5], id) then
  redis.call('ZADD', KEYS[5], now + tonumber(ARGV[4]), id)
end
return true
