-- Take some of an article out of the stock. Returns how many are left.
--@key sku
--@arg count: int
--@arg token: str
--@secret token
--@returns int
--@include "lib/count.lua"
local left = count(KEYS[1])
if left < tonumber(ARGV[1]) then
  return redis.error_reply('OUT_OF_STOCK sku ' .. KEYS[1])
end
return redis.call('DECRBY', KEYS[1], ARGV[1])
