--@key stock
--@arg count: int
local left = redis.call('GET', KEYS[1])
return left - ARGV[1]
