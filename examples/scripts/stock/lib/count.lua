local function count(sku)
  return redis.call('GET', sku) + 0
end
