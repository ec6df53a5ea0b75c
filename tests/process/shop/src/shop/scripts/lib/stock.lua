local function left(sku)
  return tonumber(redis.call('GET', sku) or 0)
end
