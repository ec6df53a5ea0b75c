--@once request
--@key account
--@arg request: str
--@arg cents: int
--@returns int
local balance = tonumber(redis.call('GET', KEYS[1]) or 0)
if balance < tonumber(ARGV[2]) then
  return redis.error_reply('TOO_LITTLE there are only ' .. balance .. ' cents')
end
return redis.call('DECRBY', KEYS[1], ARGV[2])
