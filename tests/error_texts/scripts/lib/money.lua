--@include "round.lua"

local function total(amounts)
  local sum = 0
  for _, amount in ipairs(amounts) do
    sum = sum + rounded(amuont)
  end
  return sum
end
