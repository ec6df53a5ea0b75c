--@key queue
--@arg item: str
--@arg token: str
--@secret token
local queue = KEYS[1]
redis.call('LPUSH', queue, ARGV[1])
return redis.call('LLEN', queue)
