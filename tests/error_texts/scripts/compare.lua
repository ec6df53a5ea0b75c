--@key user
--@arg limit: int
local calls = redis.call('INCR', KEYS[1])
if calls > ARGV[1] then
  return 0
end
return 1
