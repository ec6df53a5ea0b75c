-- Count a vote, unless the voter has voted before. Returns whether it counts.
--@key votes
--@key voters
--@arg voter: str
--@arg choice: str
--@returns bool
if redis.call('SADD', KEYS[2], ARGV[1]) == 0 then
  return false
end
redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
return true
