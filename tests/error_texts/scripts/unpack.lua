--@keys items...
local all = {}
for i = 1, 10000 do
  all[i] = i
end
return redis.call('RPUSH', KEYS[1], unpack(all))
