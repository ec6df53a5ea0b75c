-- The server's clock in milliseconds. Callers' clocks differ; this one is the same for all.
local function now_ms()
  local seconds, micros = unpack(redis.call('TIME'))
  return tonumber(seconds) * 1000 + math.floor(tonumber(micros) / 1000)
end
