--@key user
--@arg pin: str
--@secret pin
if ARGV[1] ~= '' then
  error('no such pin: ' .. ARGV[1])
end
