--@key user
--@include "lib/round.lua"
local function f()
  if KEYS[1] then
    return rounded(1)

return f()
