-- Give a job up: move its id, payload and the reason to the dead-letter list.
local function bury(id, reason, now)
  local payload = redis.call('HGET', KEYS[2], id)
  redis.call('LPUSH', KEYS[6], cjson.encode({id = id, payload = payload, reason = reason}))
  redis.call('HDEL', KEYS[2], id)
  redis.call('HDEL', KEYS[4], id)
  redis.call('ZADD', KEYS[3], now, id)
end
