--@key sku
--@arg count: int
--@returns int
--@include "lib/stock.lua"
if left(KEYS[1]) < tonumber(ARGV[1]) then
  return redis.error_reply('OUT_OF_STOCK ' .. left(KEYS[1]) .. ' left')
end
return redis.call('DECRBY', KEYS[1], ARGV[1])
