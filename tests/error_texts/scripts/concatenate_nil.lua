--@key user
local name
return 'hello ' .. name
