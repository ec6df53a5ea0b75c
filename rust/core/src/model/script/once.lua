-- What follows a script that is called with `once`. Ahead of it stand the script, as the function `run`, and whether a
-- record must be written before it runs, as `is_noted_first`. `once.rs` says why.
--
-- A record is a string: `1`, a digest of the script, its keys and its arguments, the protocol that the script had
-- chosen, and its reply. One without a whole reply says that the script has begun: its reply could not be kept, or
-- something else has changed the record. What a client must not take for the script's own reply goes to it in a list
-- that begins with the digest.
local key, ttl, hash, digest = table.remove(KEYS), table.remove(ARGV), table.remove(ARGV), table.remove(ARGV)
local head = '1' .. digest

-- Reads a reply in a record, and raises an error if it is not whole. Each value begins with a letter, a number and a line
-- feed.
local function decode(record, at)
  local function read()
    local stop = string.find(record, '\n', at, true)
    local kind, number = string.sub(record, at, at), tonumber(string.sub(record, at + 1, stop - 1))
    at = stop + 1
    if kind == ':' then
      return assert(number)
    elseif kind == 'T' or kind == 'F' then
      return kind == 'T'
    elseif kind == ',' then
      return {double = assert(number)}
    elseif kind == '*' then
      local list = {}
      for index = 1, number do
        list[index] = read()
      end
      return list
    elseif kind == '%' then
      local map = {}
      for _ = 1, number do
        local name = read()
        map[name] = read()
      end
      return {map = map}
    elseif kind == '~' then
      local set = {}
      for _ = 1, number do
        set[read()] = true
      end
      return {set = set}
    elseif kind == '=' then
      return {verbatim_string = {format = read(), string = read()}}
    elseif kind == '_' then
      -- A server answers null for a function, which does not end a list.
      return read
    end
    local text = string.sub(record, at, at + number - 1)
    assert(#text == number)
    at = at + number
    if kind == '$' then
      return text
    end
    return {[assert(kind == '-' and 'err' or kind == '+' and 'ok' or kind == '(' and 'big_number')] = text}
  end
  local reply = read()
  assert(at == #record + 1)
  return reply
end

-- Makes the pieces of a reply in a record, as the server would answer it: the same fields count, in the same order. It
-- also returns whether there are booleans, which the script's protocol decides on, and whether the order is Lua's.
local function encode(value)
  local pieces, count, has_booleans, is_unordered = {head, '2'}, 2, false, false
  local function put(kind, number, text)
    pieces[count + 1] = kind .. number .. '\n'
    pieces[count + 2] = text
    count = count + (text and 2 or 1)
  end
  local function size(of)
    local number = 0
    for _ in pairs(of) do
      number = number + 1
    end
    return number
  end
  local function write(item)
    local kind = type(item)
    if kind == 'string' then
      return put('$', #item, item)
    elseif kind == 'number' then
      return put(':', string.format('%d', item))
    elseif kind == 'boolean' then
      has_booleans = true
      return put(item and 'T' or 'F', 0)
    elseif kind ~= 'table' then
      return put('_', 0)
    end
    local err, ok, double = rawget(item, 'err'), rawget(item, 'ok'), rawget(item, 'double')
    local map, set, digits = rawget(item, 'map'), rawget(item, 'set'), rawget(item, 'big_number')
    local verbatim = rawget(item, 'verbatim_string')
    if type(err) == 'string' then
      return put('-', #err, err)
    elseif type(ok) == 'string' then
      return put('+', #ok, ok)
    elseif type(double) == 'number' then
      return put(',', string.format('%.17g', double))
    elseif type(map) == 'table' then
      is_unordered = true
      put('%', size(map))
      for name, each in pairs(map) do
        write(name)
        write(each)
      end
      return
    elseif type(set) == 'table' then
      is_unordered = true
      put('~', size(set))
      for member in pairs(set) do
        write(member)
      end
      return
    elseif type(digits) == 'string' then
      return put('(', #digits, digits)
    elseif type(verbatim) == 'table' and type(verbatim.string) == 'string' and type(verbatim.format) == 'string' then
      put('=', 0)
      write(verbatim.format)
      return write(verbatim.string)
    end
    local length = 0
    while rawget(item, length + 1) ~= nil do
      length = length + 1
    end
    put('*', length)
    for index = 1, length do
      write(rawget(item, index))
    end
  end
  write(value)
  return pieces, has_booleans, is_unordered
end

-- What the script raised, in the words that the server would have answered: with the line of what raised it, or of
-- what called that.
local function handle(failure)
  local where
  for level = 3, 4 do
    local _, found = pcall(error, '', level)
    where = where or string.match(found, '^user_script:(%d+): $')
  end
  where = where and '@user_script:' .. where or '=[C]:-1'
  if not redis.REDIS_VERSION_NUM then
    -- Before Redis 7.
    local words = string.match(tostring(failure), '^%Z*')
    return {err = 'ERR Error running script (call to f_' .. hash .. '): ' .. where .. ': ' .. words}
  end
  local words = type(failure) ~= 'table' and 'ERR ' .. tostring(failure)
  words = string.match(words or failure.err and tostring(failure.err) or 'ERR unknown error', '^%Z*')
  -- From Valkey 9.1 on without the hash.
  local name = (redis.VALKEY_VERSION_NUM or 0) < 590080 and hash .. ', ' or ''
  return {err = words .. ' script: ' .. name .. 'on ' .. where .. '.'}
end

-- The server's words for a command of this wrapper's. Before Redis 7 the command's place precedes them.
local function refused(reply)
  return {digest, 'refused', {err = string.gsub(reply.err, '^@user_script: ?%d+: %-?', '')}}
end

local record = redis.pcall('GET', key)
if type(record) == 'table' then
  return refused(record)
elseif record then
  local protocol = #head + 1
  if string.sub(record, 1, #head) ~= head then
    return {digest, 'conflict'}
  elseif string.sub(record, protocol, protocol) == '3' then
    redis.setresp(3)
  end
  local is_whole, reply = pcall(decode, record, protocol + 1)
  if not is_whole then
    return {digest, 'unknown'}
  end
  return {digest, 'reply', reply}
end
-- After a script's first write a server refuses no other, but for a lack of rights.
is_noted_first = is_noted_first or not redis.acl_check_cmd
if is_noted_first or not redis.acl_check_cmd('SET', key, head) then
  local noted = redis.pcall('SET', key, head, 'PX', ttl)
  if noted.err then
    return refused(noted)
  end
end

local is_done, value = xpcall(run, handle)

local is_kept, pieces, has_booleans, is_unordered = true, nil, false, false
if type(value) == 'string' then
  record = head .. '2$' .. #value .. '\n' .. value
elseif type(value) == 'number' then
  record = head .. '2:' .. string.format('%d', value) .. '\n'
else
  -- What cannot be kept, such as a table within itself, leaves a record without a reply.
  is_kept, pieces, has_booleans, is_unordered = pcall(encode, value)
  if is_kept and has_booleans and redis.pcall('SET', key, head, 'PX', ttl, is_noted_first and 'NX' or 'XX') == nil then
    -- The script has chosen RESP3: in RESP2 a null is false.
    pieces[2] = '3'
  end
  record = is_kept and table.concat(pieces) or head
end
-- Its effects may have been for this server alone.
pcall(redis.set_repl, redis.REPL_ALL)
local kept = redis.pcall('SET', key, record, 'PX', ttl)
-- The script was stopped by what refuses the record, too.
local is_stopped = kept.err and not is_done and string.sub(value.err, 1, #kept.err) == kept.err
if kept.err and (is_done or is_stopped) and not is_noted_first then
  -- So the script wrote nothing.
  return refused(kept)
elseif is_kept and is_unordered then
  -- In the order in which later calls get it.
  return decode(record, #head + 2)
end
return value
