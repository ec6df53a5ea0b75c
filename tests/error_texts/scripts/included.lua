--@key user
--@arg amounts: int...
--@include "lib/money.lua"
return total(ARGV)
