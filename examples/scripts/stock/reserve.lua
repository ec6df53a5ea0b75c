#!lua
-- Reserve some of an article for an order, for a limited time. Returns how many are left.
--
-- May run twice: the order's id tells that they are already reserved.
--@key stock
--@key held -- the count reserved by each order
--@key until_when -- the end of each order's reservation
--@key sold
--@arg order: str
--@arg count: int
--@arg ttl_ms: int
--@returns int
--@idempotent
--@include "../lib/now.lua"
--@include "lib/release_expired.lua"
local now = now_ms()
release_expired(KEYS[1], KEYS[2], KEYS[3], now)
local left = tonumber(redis.call('GET', KEYS[1]) or 0)
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 or redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then
  return left
end
local count = tonumber(ARGV[2])
if left < count then
  return redis.error_reply('OUT_OF_STOCK ' .. left .. ' left')
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), ARGV[1])
return redis.call('DECRBY', KEYS[1], count)
