--@key sku
--@arg note: str
return redis.error_reply('OUT_OF_STOCK sku 7')
