-- Count calls in windows of so many seconds. Returns whether one more is allowed.
--@key user
--@arg limit: int
--@arg window: int
--@returns bool
local calls = redis.call('INCR', KEYS[1])
if calls == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return calls <= tonumber(ARGV[1])
