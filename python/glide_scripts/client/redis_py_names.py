"""What redis-py, valkey-py and coredis call things, and what they are called here."""

from __future__ import annotations

_BATCH = "make a Batch (in a cluster a ClusterBatch), add commands, and pass it to exec()"
_NO_MESSAGES = "there is no publish and subscribe here; subscribe with redis-py or valkey-py"
_RANGE = "zrange(key, {}) returns ranges of every kind"
_SCAN = "call scan() until its cursor is b'0', in a cluster until it is_finished()"
_POOL = "a client has one connection to each server for all tasks and threads, and no pool"
_LOCK = "a lock is a script or two; the guide's page of patterns has one"
_BLOCKING = (
    "custom_command(['{}', 'key', '0']) waits on a connection of its own; pass the rest of its "
    "arguments as str"
)
_WATCH = "a client has watch(keys); call it before exec()"
_WAIT = "add custom_command([{}]) to a batch, after the writes that it waits for"
_RETRIES = (
    "pass reconnect_strategy=BackoffStrategy(…) in the configuration; what may have been executed "
    "is never repeated"
)
_BYTES = "replies are bytes; a typed script declares other types"
_PASSWORDS = (
    "pass credentials=ServerCredentials(password_callback=function) in the configuration, which "
    "returns the password for each connection"
)
_NO_ROUTES = "only a GlideClusterClient has routes; leave the route out: {}"
_ROUTE = "the client knows the nodes; pass a route such as AllPrimaries() to call several of them"
_TLS = (
    "pass tls_config=TlsAdvancedConfiguration({}) in the advanced configuration, or {} in the URL"
)

METHODS = {
    "register_script": "make a Script(code), and pass it to invoke_script(script, keys, args), "
    "which sends the code when the server lacks it",
    "pipeline": f"{_BATCH}: Batch(is_atomic=False) is a pipeline, Batch(is_atomic=True) a "
    "transaction",
    "transaction": f"call watch(keys) and read them, then {_BATCH}",
    "multi_exec": f"{_BATCH}: Batch(is_atomic=True) is a transaction",
    "load_script": "script_load(script) loads a script",
    "get_library": "make a FunctionLibrary, which loads itself",
    "register_library": "make a FunctionLibrary, which loads itself",
    "execute_command": "custom_command(['NAME', 'argument', …]) sends any command",
    "execute": "pass the batch to the client: exec(batch, raise_on_error=True)",
    "commands": "len(batch) counts a batch's commands",
    "multi": "Batch(is_atomic=True) is a transaction",
    "watch": _WATCH,
    "unwatch": _WATCH,
    "wait": _WAIT.format("'WAIT', '1', '100'"),
    "waitaof": _WAIT.format("'WAITAOF', '1', '0', '100'"),
    "discard": "nothing is sent before exec(); drop the batch",
    "reset": "exec() does not change a batch; make a new one for other commands",
    "pubsub": _NO_MESSAGES,
    **{
        f"{prefix}{name}{suffix}": _NO_MESSAGES
        for prefix in ("", "p", "s")
        for name in ("subscribe", "unsubscribe")
        for suffix in ("", "_lazy")
    },
    **dict.fromkeys(
        (
            "get_message",
            "get_pubsub_message",
            "get_subscriptions",
            "keyspace_notifications",
            "listen",
            "try_get_pubsub_message",
        ),
        _NO_MESSAGES,
    ),
    "monitor": "use redis-py, or the server's command line",
    "lock": _LOCK,
    "keys": "scan(cursor, match=pattern) returns them piece by piece",
    "scan_iter": _SCAN,
    "iscan": _SCAN,
    **{
        name: f"custom_command(['{command}', key, cursor]) returns the next cursor and elements"
        for command in ("HSCAN", "SSCAN", "ZSCAN")
        for name in (command.lower(), f"{command.lower()}_iter", f"i{command.lower()}")
    },
    "setex": "set(key, value, expiry=ExpirySet(ExpiryType.SEC, seconds))",
    "psetex": "set(key, value, expiry=ExpirySet(ExpiryType.MILLSEC, milliseconds))",
    "setnx": "set(key, value, ConditionalChange.ONLY_IF_DOES_NOT_EXIST)",
    "getset": "set(key, value, return_old_value=True)",
    "hmset": "hset(key, {'field': 'value'})",
    "hmset_dict": "hset(key, {'field': 'value'})",
    "zrangebyscore": _RANGE.format("RangeByScore(start, end)"),
    "zrevrangebyscore": _RANGE.format("RangeByScore(start, end), reverse=True"),
    "zrevrange": _RANGE.format("RangeByIndex(start, end), reverse=True"),
    "zrangebylex": _RANGE.format("RangeByLex(start, end)"),
    "zrevrangebylex": _RANGE.format("RangeByLex(start, end), reverse=True"),
    "flushdb_async": "flushdb(FlushMode.ASYNC)",
    "connection": _POOL,
    "connection_pool": _POOL,
    "from_pool": _POOL,
    "client": _POOL,
    "aclose": "a synchronous client has close()",
    "disconnect": "close() ends the connections",
    "quit": "close() ends the connections",
    "wait_closed": "close() ends the connections",
    "create_redis_pool": "create() and from_url() connect",
    "create_pool": "create() and from_url() connect",
    "initialize": "create() and from_url() connect",
    "connect": "create() and from_url() connect",
    "auth": "pass credentials in the configuration; update_connection_password(password) changes "
    "the password",
    "select": "pass database_id in the configuration; make a client for each database",
    "client_setname": "pass client_name in the configuration",
    **dict.fromkeys(
        (
            "decoding",
            "get_encoder",
            "parse_response",
            "response_callbacks",
            "set_response_callback",
        ),
        _BYTES,
    ),
    **dict.fromkeys(("get_retry", "retry", "set_retry"), _RETRIES),
    "get_primaries": _ROUTE,
    "get_replicas": _ROUTE,
    "get_nodes": _ROUTE,
    "get_node": _ROUTE,
    "get_random_node": _ROUTE,
    "get_default_node": _ROUTE,
    "get_node_from_key": "a SlotKeyRoute leads to the node of a key",
    "keyslot": "custom_command(['CLUSTER', 'KEYSLOT', key]) returns a key's slot",
    "nodes_manager": _ROUTE,
    "get_statistics": "stats() returns the client's counters",
    **dict.fromkeys(
        (
            "get_cache_entry_count",
            "get_cache_evictions",
            "get_cache_expirations",
            "get_cache_hit_rate",
            "get_cache_miss_rate",
            "get_cache_total_lookups",
        ),
        "there is no client-side cache here",
    ),
    "refresh_iam_token": _PASSWORDS,
    "invoke_script_route": _NO_ROUTES.format("invoke_script(script, keys, args)"),
    "fcall_route": _NO_ROUTES.format("fcall(function, keys, arguments)"),
    "fcall_ro_route": _NO_ROUTES.format("fcall_ro(function, keys, arguments)"),
    "mget_nonatomic": "mget(keys) takes keys of several slots",
    "mset_nonatomic": "mset({'key': 'value'}) takes keys of several slots",
    **{
        name: _BLOCKING.format(name.upper())
        for name in (
            "blmove",
            "blmpop",
            "blpop",
            "brpop",
            "brpoplpush",
            "bzmpop",
            "bzpopmax",
            "bzpopmin",
        )
    },
}

_NOTHING_OPEN = "a batch has no connection, and nothing to close"

OF_BATCHES = {
    **METHODS,
    "exec": METHODS["execute"],
    "aclose": _NOTHING_OPEN,
    "close": _NOTHING_OPEN,
    "command_stack": METHODS["commands"],
    "append_command": "custom_command(['NAME', 'argument', …]) adds any command",
    "results": "exec() of the client returns the results",
    "raise_first_error": "exec(batch, raise_on_error=True) of the client raises the first error",
    "immediate_execute_command": "a client's methods send a command at once",
}

_DICT_OF_FIELDS = "pass a dict: hset(key, {'field': 'value'})"
_DICT_OF_MEMBERS = "pass a dict: zadd(key, {'member': 1.5})"
_DICT_OF_KEYS = "pass a dict: mset({'key': 'value'})"
_EXPIRY = "pass expiry=ExpirySet(ExpiryType.{})"
_ONLY_IF_MISSING = "ConditionalChange.ONLY_IF_DOES_NOT_EXIST"
_ONLY_IF_THERE = "ConditionalChange.ONLY_IF_EXISTS"
_BY_SCORE = "pass ScoreBoundary(score) or InfBound: zcount(key, min_score, max_score)"
_WITH_SCORES = "call zrange_withscores(key, RangeByIndex(start, end))"
_RANGE_QUERY = "pass RangeByIndex(start, end), RangeByScore or RangeByLex, and reverse=True"

ARGUMENTS = {
    ("set", "ex"): _EXPIRY.format("SEC, …"),
    ("set", "px"): _EXPIRY.format("MILLSEC, …"),
    ("set", "exat"): _EXPIRY.format("UNIX_SEC, …"),
    ("set", "pxat"): _EXPIRY.format("UNIX_MILLSEC, …"),
    ("set", "keepttl"): _EXPIRY.format("KEEP_TTL"),
    ("set", "nx"): f"pass conditional_set={_ONLY_IF_MISSING}",
    ("set", "xx"): f"pass conditional_set={_ONLY_IF_THERE}",
    ("set", "condition"): f"pass conditional_set={_ONLY_IF_MISSING} or {_ONLY_IF_THERE}",
    ("set", "ifeq"): "pass conditional_set=OnlyIfEqual(value)",
    ("set", "get"): "pass return_old_value=True",
    ("hset", "mapping"): _DICT_OF_FIELDS,
    ("hset", "key"): _DICT_OF_FIELDS,
    ("hset", "items"): _DICT_OF_FIELDS,
    ("mset", "mapping"): _DICT_OF_KEYS,
    ("zadd", "mapping"): _DICT_OF_MEMBERS,
    ("zadd", "nx"): f"pass existing_options={_ONLY_IF_MISSING}",
    ("zadd", "xx"): f"pass existing_options={_ONLY_IF_THERE}",
    ("zadd", "gt"): "pass update_condition=UpdateOptions.GREATER_THAN",
    ("zadd", "lt"): "pass update_condition=UpdateOptions.LESS_THAN",
    ("zadd", "ch"): "pass changed=True",
    ("zadd", "incr"): "call zadd_incr(key, member, increment)",
    ("zincrby", "amount"): "call zincrby(key, increment, member)",
    ("zincrby", "value"): "call zincrby(key, increment, member)",
    ("zcount", "min"): _BY_SCORE,
    ("zcount", "max"): _BY_SCORE,
    ("zrange", "withscores"): _WITH_SCORES,
    **{
        ("zrange", name): _RANGE_QUERY
        for name in ("start", "end", "desc", "byscore", "bylex", "offset", "num")
    },
    ("incr", "amount"): "call incrby(key, amount)",
    ("decr", "amount"): "call decrby(key, amount)",
    ("lpop", "count"): "call lpop_count(key, count)",
    ("rpop", "count"): "call rpop_count(key, count)",
    ("spop", "count"): "call spop_count(key, count)",
    ("expire", "time"): "pass seconds=…",
    ("pexpire", "time"): "pass milliseconds=…",
    ("expireat", "when"): "pass unix_seconds=…",
    ("pexpireat", "when"): "pass unix_milliseconds=…",
    **{
        (command, name): f"pass option=ExpireOptions.{option}"
        for command in ("expire", "pexpire", "expireat", "pexpireat")
        for name, option in {
            "nx": "HasNoExpiry",
            "xx": "HasExistingExpiry",
            "gt": "NewExpiryGreaterThanCurrent",
            "lt": "NewExpiryLessThanCurrent",
        }.items()
    },
    ("scan", "_type"): "pass type=ObjectType.…",
    ("scan", "type_"): "pass type=ObjectType.…",
    ("info", "section"): "pass a list: info([InfoSection.SERVER])",
    ("config_get", "pattern"): "pass a list: config_get(['name'])",
    ("config_set", "name"): "pass a dict: config_set({'name': 'value'})",
    ("flushdb", "asynchronous"): "pass flush_mode=FlushMode.ASYNC",
    ("flushall", "asynchronous"): "pass flush_mode=FlushMode.ASYNC",
    ("script_flush", "sync_type"): "pass mode=FlushMode.SYNC or FlushMode.ASYNC",
    ("function_list", "library"): "pass library_name_pattern=…",
    ("function_list", "withcode"): "pass with_code=True",
    ("zrank", "withscore"): "call custom_command(['ZRANK', key, member, 'WITHSCORE'])",
    ("zrevrank", "withscore"): "call custom_command(['ZREVRANK', key, member, 'WITHSCORE'])",
    ("restore", "absolute_ttl"): "pass absttl=True",
}
"""By the name of the command and of the argument."""

POSITIONS = {
    "hset": _DICT_OF_FIELDS,
    "mset": _DICT_OF_KEYS,
    "zadd": _DICT_OF_MEMBERS,
    "zrange": f"{_RANGE_QUERY}; for scores {_WITH_SCORES}",
    "incr": ARGUMENTS["incr", "amount"],
    "decr": ARGUMENTS["decr", "amount"],
    "lpop": ARGUMENTS["lpop", "count"],
    "rpop": ARGUMENTS["rpop", "count"],
    "spop": ARGUMENTS["spop", "count"],
    "config_set": ARGUMENTS["config_set", "name"],
}
"""What to do if a command gets too many arguments, by its name."""

WITHOUT_COUNT = {
    name: f"pass lists: {name}({first}, ['key'], ['argument']), without the number of keys"
    for first, names in {
        "code": ("eval", "eval_ro"),
        "sha1": ("evalsha", "evalsha_ro"),
        "function": ("fcall", "fcall_ro"),
    }.items()
    for name in names
}
LISTS = "a list of keys, fields, members or elements is one argument: {}(…, ['a', 'b'])"
ANY_COMMAND = (
    "custom_command(['NAME', 'argument', …]) sends any command, and glide_scripts.redis has all "
    "methods of redis-py"
)

ONE_SCRIPT_FOR_ALL = "a script belongs to no client: make it with Script(code)"
_FROM_FILE = "Script.from_file(path) reads a file"

SCRIPT = {
    "file": _FROM_FILE,
    "filename": _FROM_FILE,
    "path": _FROM_FILE,
    "registered_client": ONE_SCRIPT_FOR_ALL,
    "client": ONE_SCRIPT_FOR_ALL,
    "script": ONE_SCRIPT_FOR_ALL,
    "source": "pass the code: Script(code)",
}
"""The arguments that make a script."""

_SEEDS = "pass addresses=[NodeAddress(host, port)] in the configuration"
_CONNECTING = "pass connection_timeout, in milliseconds, in the advanced configuration or the URL"
_REPLICAS = "pass read_from=ReadFrom.PREFER_REPLICA in the configuration or the URL"

SETTINGS = {
    "decode_responses": "replies are bytes: call decode() on them, or declare their types with a "
    "typed script",
    "encoding": "a str is sent as UTF-8, and replies are bytes",
    "encoding_errors": "a str is sent as UTF-8, and replies are bytes",
    "db": "pass the database in the URL, as valkey://host/1, or database_id in the configuration",
    "host": _SEEDS,
    "port": _SEEDS,
    "startup_nodes": _SEEDS,
    "unix_socket_path": "pass addresses=[UnixSocketAddress(path)] in the configuration, or "
    "unix:///path as the URL",
    "password": "pass the password in the URL, or credentials=ServerCredentials(password) in the "
    "configuration",
    "username": "pass the user in the URL, or credentials=ServerCredentials(password, username) in "
    "the configuration",
    "credential_provider": _PASSWORDS,
    "ssl": "write valkeys:// in the URL, or pass use_tls=True in the configuration",
    "ssl_ca_certs": _TLS.format("root_pem_cacerts=path", "ssl_ca_certs=path"),
    "ssl_ca_data": _TLS.format("root_pem_cacerts=pem_bytes", "ssl_ca_certs=path"),
    "ssl_certfile": _TLS.format("client_cert_pem=path", "ssl_certfile=path"),
    "ssl_keyfile": _TLS.format("client_key_pem=path", "ssl_keyfile=path"),
    "ssl_password": _TLS.format("key_password=text", "ssl_password=text"),
    "ssl_cert_reqs": _TLS.format("use_insecure_tls=True", "ssl_cert_reqs=none"),
    "ssl_check_hostname": _TLS.format("verify_hostname=False", "ssl_check_hostname=false"),
    "socket_timeout": "pass request_timeout, in milliseconds, in the configuration or the URL",
    "socket_connect_timeout": _CONNECTING,
    "connect_timeout": _CONNECTING,
    "stream_timeout": "pass request_timeout, in milliseconds, in the configuration or the URL",
    "max_connections": _POOL,
    "connection_pool": _POOL,
    "single_connection_client": _POOL,
    "retry": _RETRIES,
    "retry_on_timeout": _RETRIES,
    "retry_on_error": _RETRIES,
    "retry_policy": _RETRIES,
    "cluster_error_retry_attempts": "a call follows moving slots and failovers until its "
    "request_timeout",
    "require_full_coverage": "a slot without a server fails only the calls for it",
    "read_from_replicas": _REPLICAS,
    "load_balancing_strategy": _REPLICAS,
    "health_check_interval": "pass heartbeat_interval, in milliseconds, in the advanced "
    "configuration or the URL",
    "client_name": "pass client_name in the configuration or the URL",
    "protocol": "pass protocol in the configuration, or ?protocol=2 in the URL",
    "protocol_version": "pass protocol in the configuration, or ?protocol=2 in the URL",
}
