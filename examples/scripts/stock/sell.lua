#!lua
-- Makes of an order's reservation a sale. False: it was given back, or its time was over.
--
-- May run twice: what is sold stays sold.
--@key stock
--@key held
--@key until_when
--@key sold -- how many each order got
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
