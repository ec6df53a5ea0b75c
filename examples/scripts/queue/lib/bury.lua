-- Gives a job up. Its id, its payload and the reason go to the list of the dead.
local function bury(id, reason, now)
  local payload = redis.call('HGET', KEYS[2], id)
  redis.call('LPUSH', KEYS[6], cjson.encode({id = id, payload = payload, reason = reason}))
  redis.call('HDEL', KEYS[2], id)
  redis.call('HDEL', KEYS[4], id)
  redis.call('ZADD', KEYS[3], now, id)
end
