--@key user
return redis.call('GET', 'other')
