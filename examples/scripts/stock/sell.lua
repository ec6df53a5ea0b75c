#!lua
-- Turn an order's reservation into a sale. Returns false if it was undone or has expired.
--
-- May run twice: a sale stays a sale.
--@key stock
--@key held
--@key until_when
--@key sold -- the count sold to each order
--@arg order: str
--@returns bool
--@idempotent
--@include "../lib/now.lua"
--@include "lib/release_expired.lua"
release_expired(KEYS[1], KEYS[2], KEYS[3], now_ms())
local count = redis.call('HGET', KEYS[2], ARGV[1])
if not count then
  return redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1
end
redis.call('HSET', KEYS[4], ARGV[1], count)
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return true
