--@key user
redis.call('PUBLISH', 'news', KEYS[1])
return redis.call('SET', KEYS[1], 'v')
