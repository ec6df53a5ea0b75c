#!lua
-- A rate limiter with a fixed window: 1 when the call is allowed, 0 when the limit is reached.
--
--   glide-scripts run examples/rate_limiter.lua --key user:1 --arg 3 --arg 60 --repeat 5
--
-- KEYS[1]  the counter, one for each user
-- ARGV[1]  how many calls a window allows
-- ARGV[2]  how long a window is, in seconds

local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
if not (KEYS[1] and limit and window) then
    return redis.error_reply('ERR usage: one key, a limit and a window in seconds')
end

local calls = redis.call('INCR', KEYS[1])
if calls == 1 then
    redis.call('EXPIRE', KEYS[1], window)
end
return calls <= limit and 1 or 0
