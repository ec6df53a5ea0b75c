"""The names that servers give to scripts."""

# What servers give to scripts: Lua 5.1's own without files, processes and environments.
GLOBALS = frozenset(
    b"ARGV KEYS _G _VERSION assert bit cjson cmsgpack collectgarbage coroutine error gcinfo "
    b"getmetatable ipairs load loadstring math next os pairs pcall rawequal rawget rawset redis "
    b"select server setmetatable string struct table tonumber tostring type unpack xpcall".split()
)

# What their libraries have; of redis and server it depends on the version.
MEMBERS = {
    table: frozenset(names.split())
    for table, names in {
        b"bit": b"arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex",
        b"cjson": b"_NAME _VERSION decode decode_invalid_numbers decode_max_depth encode "
        b"encode_invalid_numbers encode_keep_buffer encode_max_depth encode_number_precision "
        b"encode_sparse_array new null",
        b"cmsgpack": b"_COPYRIGHT _DESCRIPTION _NAME _VERSION pack unpack unpack_limit unpack_one",
        b"coroutine": b"create resume running status wrap yield",
        b"math": b"abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log "
        b"log10 max min mod modf pi pow rad random randomseed sin sinh sqrt tan tanh",
        b"os": b"clock",
        b"string": b"byte char dump find format gfind gmatch gsub len lower match rep reverse sub "
        b"upper",
        b"struct": b"pack size unpack",
        b"table": b"concat foreach foreachi getn insert maxn remove setn sort",
    }.items()
}
