local function rounded(amount)
  return math.floor(amount + 0.5)
end
