--@key user
local calls = redis.call('INCR', KEYS[1])
if calls = 1 then
  return 1
end
