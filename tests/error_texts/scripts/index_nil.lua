--@key user
--@arg field: str
local user = cjson.decode(redis.call('GET', KEYS[1]))

local address = user.address
return address[ARGV[1]]
