-- Return expired reservations to the stock.
local function release_expired(stock, held, until_when, now)
  for _, id in ipairs(redis.call('ZRANGE', until_when, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
    redis.call('INCRBY', stock, redis.call('HGET', held, id))
    redis.call('HDEL', held, id)
    redis.call('ZREM', until_when, id)
  end
end
