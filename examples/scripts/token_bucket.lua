#!lua
-- Take a token from a bucket that refills steadily. Returns whether the call is allowed, how many
-- tokens are left, and in how many milliseconds the next one comes.
--@key bucket
--@arg capacity: int -- the most calls at once
--@arg per_second: float -- tokens per second
--@returns tuple[bool, int, int]
--@include "lib/now.lua"
local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local tokens, at = unpack(redis.call('HMGET', KEYS[1], 'tokens', 'at'))
tokens, at = tonumber(tokens or capacity), tonumber(at or now)
tokens = math.min(capacity, tokens + math.max(0, now - at) * per_second / 1000)

local allowed = tokens >= 1
if allowed then
  tokens = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
-- After that time the bucket is full, and a missing one counts as full.
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_second * 1000))

local wait = tokens >= 1 and 0 or math.ceil((1 - tokens) / per_second * 1000)
return {allowed, math.floor(tokens), wait}
