#!lua
-- Release a lock if the holder still has it: after it expired, another one may hold it.
--@key lock
--@arg holder: str
--@returns None
--@idempotent
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return false
