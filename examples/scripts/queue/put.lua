#!lua
-- Puts a job into the queue. False: a job with this id is or was there already.
--
-- May run twice, since the id tells: finished jobs' ids are kept for an hour.
--@key ready -- ids that wait for a worker
--@key jobs -- what is in each job, by id
--@key finished -- ids of jobs that are done or dead, by time
--@arg id: str
--@arg payload: str
--@returns bool
--@idempotent
if redis.call('ZSCORE', KEYS[3], ARGV[1]) or redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then
  return false
end
redis.call('LPUSH', KEYS[1], ARGV[1])
return true
