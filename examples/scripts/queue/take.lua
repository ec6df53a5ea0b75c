#!lua
-- Give a job to a worker. Returns its id, its payload and the number of the attempt, or nothing if
-- there is no job.
--
-- When the job's lease ends, another worker gets it. So no job is lost if a worker dies, or never
-- gets this reply.
--@key ready
--@key jobs
--@key finished
--@key attempts -- how often each job was taken, by id
--@key due -- ids that are leased or wait for a retry, by end time
--@key dead -- jobs that were given up
--@arg lease_ms: int
--@arg max_attempts: int
--@returns tuple[str, str, int] | None
--@include "../lib/now.lua"
--@include "lib/bury.lua"
local now = now_ms()
for _, id in ipairs(redis.call('ZRANGE', KEYS[5], '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[5], id)
  if tonumber(redis.call('HGET', KEYS[4], id)) >= tonumber(ARGV[2]) then
    bury(id, 'its worker was gone', now)
  else
    redis.call('RPUSH', KEYS[1], id)
  end
end
local id = redis.call('RPOP', KEYS[1])
if not id then
  return false
end
local attempt = redis.call('HINCRBY', KEYS[4], id, 1)
redis.call('ZADD', KEYS[5], now + tonumber(ARGV[1]), id)
return {id, redis.call('HGET', KEYS[2], id), attempt}
