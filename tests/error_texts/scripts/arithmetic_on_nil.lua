--@key stock
--@arg count: int
local taken = ARGV[2] + 1
return taken
