#!lua
-- Add a job to the queue. Returns false if a job with this id exists or existed.
--
-- May run twice because of the id. The ids of finished jobs are kept for an hour.
--@key ready -- ids that wait for a worker
--@key jobs -- the payload of each job, by id
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
