---@meta

---Texts by their numbers. Not `string[]`, of which some language servers say that an element may be nil.
---@alias redis.Strings table<integer, string>

---The script's keys, as strings. In functions of a library they are a parameter instead.
---@type redis.Strings
KEYS = {}

---The script's arguments, as strings. In functions of a library they are a parameter instead.
---@type redis.Strings
ARGV = {}

---What a command takes: numbers are sent as their text.
---@alias redis.Arg string|number

---A table that is returned as an error, or that `redis.pcall` returns.
---@class redis.Error
---@field err string
---@field source? string
---@field line? string
---@field ignore_error_stats_update? boolean

---A table that is returned as a status, such as OK.
---@class redis.Status
---@field ok string

---@class redis.FunctionFlags
---@field function_name string
---@field callback fun(keys: redis.Strings, args: redis.Strings): any
---@field flags? ("no-writes"|"allow-oom"|"allow-stale"|"no-cluster"|"allow-cross-slot-keys")[]
---@field description? string

---@class redis
---@field LOG_DEBUG integer
---@field LOG_VERBOSE integer
---@field LOG_NOTICE integer
---@field LOG_WARNING integer
---@field REPL_NONE integer
---@field REPL_SLAVE integer
---@field REPL_REPLICA integer
---@field REPL_AOF integer
---@field REPL_ALL integer
---@field REDIS_VERSION string
---@field REDIS_VERSION_NUM integer
---@field SERVER_NAME? string
---@field VALKEY_VERSION? string
---@field VALKEY_VERSION_NUM? integer
redis = {}

---The same as `redis`; Valkey 8.0 and later have both names.
---@type redis
server = redis

---Return this as an error: `return redis.error_reply('OUT_OF_STOCK sku 7')`.
---@param message string The error; its first word is its code.
---@return redis.Error
function redis.error_reply(message) end

---Return this as a status.
---@param status string
---@return redis.Status
function redis.status_reply(status) end

---@param text string
---@return string sha1 40 hexadecimal digits.
function redis.sha1hex(text) end

---Write to the server's log.
---@param level integer One of `redis.LOG_DEBUG`, `LOG_VERBOSE`, `LOG_NOTICE` and `LOG_WARNING`.
---@param ... any
function redis.log(level, ...) end

---Choose the protocol of the replies that the script gets.
---@param version 2|3
function redis.setresp(version) end

---Choose where the following writes are replicated to.
---@param where integer One of `redis.REPL_ALL`, `REPL_AOF`, `REPL_REPLICA` and `REPL_NONE`.
function redis.set_repl(where) end

---Always true: scripts replicate their effects.
---@deprecated
---@return boolean
function redis.replicate_commands() end

---Stop here in the debugger.
---@return boolean
function redis.breakpoint() end

---Show values in the debugger.
---@param ... any
function redis.debug(...) end

---Whether the user may run a command.
---@param command string
---@param ... redis.Arg
---@return boolean
function redis.acl_check_cmd(command, ...) end

---Register a function of a library, whose file begins with `#!lua name=…`.
---@param name string
---@param callback fun(keys: redis.Strings, args: redis.Strings): any
---@overload fun(function: redis.FunctionFlags)
function redis.register_function(name, callback) end

---@class cjson
---@field null lightuserdata What `null` is decoded to.
cjson = {}

---@param value any
---@return string json Numbers have 14 digits; an empty table is `{}`.
function cjson.encode(value) end

---@param json string
---@return any
function cjson.decode(json) end

---@return cjson
function cjson.new() end

---@param convert? boolean
---@param ratio? integer
---@param safe? integer
function cjson.encode_sparse_array(convert, ratio, safe) end

---@param depth? integer
---@return integer
function cjson.encode_max_depth(depth) end

---@param depth? integer
---@return integer
function cjson.decode_max_depth(depth) end

---@param digits? integer
---@return integer
function cjson.encode_number_precision(digits) end

---@param keep? boolean
---@return boolean
function cjson.encode_keep_buffer(keep) end

---@param setting? boolean|"null"
---@return boolean|string
function cjson.encode_invalid_numbers(setting) end

---@param setting? boolean
---@return boolean
function cjson.decode_invalid_numbers(setting) end

---@class cmsgpack
cmsgpack = {}

---@param ... any
---@return string
function cmsgpack.pack(...) end

---@param data string
---@return any ...
function cmsgpack.unpack(data) end

---@param data string
---@param offset? integer
---@return integer offset Of the next value; -1 at the end.
---@return any value
function cmsgpack.unpack_one(data, offset) end

---@param data string
---@param limit integer
---@param offset? integer
---@return integer offset Of the next value; -1 at the end.
---@return any ...
function cmsgpack.unpack_limit(data, limit, offset) end

---@class bit
bit = {}

---@param x number
---@return integer
function bit.tobit(x) end

---@param x number
---@param digits? integer
---@return string
function bit.tohex(x, digits) end

---@param x number
---@return integer
function bit.bnot(x) end

---@param x number
---@param ... number
---@return integer
function bit.band(x, ...) end

---@param x number
---@param ... number
---@return integer
function bit.bor(x, ...) end

---@param x number
---@param ... number
---@return integer
function bit.bxor(x, ...) end

---@param x number
---@param bits integer
---@return integer
function bit.lshift(x, bits) end

---@param x number
---@param bits integer
---@return integer
function bit.rshift(x, bits) end

---@param x number
---@param bits integer
---@return integer
function bit.arshift(x, bits) end

---@param x number
---@param bits integer
---@return integer
function bit.rol(x, bits) end

---@param x number
---@param bits integer
---@return integer
function bit.ror(x, bits) end

---@param x number
---@return integer
function bit.bswap(x) end

---@class struct
struct = {}

---@param format string
---@param ... any
---@return string
function struct.pack(format, ...) end

---@param format string
---@param data string
---@param offset? integer
---@return any ... The values, and the offset after them.
function struct.unpack(format, data, offset) end

---@param format string
---@return integer
function struct.size(format) end

---@class os
os = {}

---The seconds of processor time that the server has used.
---@return number
function os.clock() end
