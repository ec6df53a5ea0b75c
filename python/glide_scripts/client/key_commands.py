"""The commands on keys, one line each; what each does is in ``commands``."""

from __future__ import annotations

from ..commands import (
    functions,
    hashes,
    key_expiry,
    keys,
    lists,
    scripting,
    sets,
    sorted_sets,
    strings,
)
from .command_methods import method_of
from .sending import Sending


class KeyCommands(Sending):
    """The part of ``BaseClient`` for commands on keys."""

    fcall = method_of(functions.fcall)
    fcall_ro = method_of(functions.fcall_ro)

    eval = method_of(scripting.eval)
    eval_ro = method_of(scripting.eval_ro)
    evalsha = method_of(scripting.evalsha)
    evalsha_ro = method_of(scripting.evalsha_ro)

    get = method_of(strings.get)
    # The checkers see a function without self.
    set: strings.SetMethod = method_of(strings.set)  # type: ignore[arg-type, assignment]
    mget = method_of(strings.mget)
    mset = method_of(strings.mset)
    incr = method_of(strings.incr)
    incrby = method_of(strings.incrby)
    decr = method_of(strings.decr)
    decrby = method_of(strings.decrby)
    incrbyfloat = method_of(strings.incrbyfloat)
    append = method_of(strings.append)
    strlen = method_of(strings.strlen)
    getdel = method_of(strings.getdel)
    getrange = method_of(strings.getrange)
    setrange = method_of(strings.setrange)
    delete = method_of(keys.delete)
    exists = method_of(keys.exists)
    unlink = method_of(keys.unlink)
    touch = method_of(keys.touch)
    type = method_of(keys.type)
    rename = method_of(keys.rename)
    renamenx = method_of(keys.renamenx)
    dump = method_of(keys.dump)
    restore = method_of(keys.restore)
    object_encoding = method_of(keys.object_encoding)
    object_freq = method_of(keys.object_freq)
    object_idletime = method_of(keys.object_idletime)
    object_refcount = method_of(keys.object_refcount)
    expire = method_of(key_expiry.expire)
    ttl = method_of(key_expiry.ttl)
    pexpire = method_of(key_expiry.pexpire)
    expireat = method_of(key_expiry.expireat)
    pexpireat = method_of(key_expiry.pexpireat)
    persist = method_of(key_expiry.persist)
    pttl = method_of(key_expiry.pttl)
    expiretime = method_of(key_expiry.expiretime)
    pexpiretime = method_of(key_expiry.pexpiretime)
    hset = method_of(hashes.hset)
    hget = method_of(hashes.hget)
    hgetall = method_of(hashes.hgetall)
    hdel = method_of(hashes.hdel)
    hexists = method_of(hashes.hexists)
    hincrby = method_of(hashes.hincrby)
    hincrbyfloat = method_of(hashes.hincrbyfloat)
    hkeys = method_of(hashes.hkeys)
    hlen = method_of(hashes.hlen)
    hmget = method_of(hashes.hmget)
    hsetnx = method_of(hashes.hsetnx)
    hvals = method_of(hashes.hvals)
    lpush = method_of(lists.lpush)
    rpush = method_of(lists.rpush)
    lrange = method_of(lists.lrange)
    llen = method_of(lists.llen)
    lindex = method_of(lists.lindex)
    lset = method_of(lists.lset)
    lrem = method_of(lists.lrem)
    ltrim = method_of(lists.ltrim)
    lpop = method_of(lists.lpop)
    lpop_count = method_of(lists.lpop_count)
    rpop = method_of(lists.rpop)
    rpop_count = method_of(lists.rpop_count)
    sadd = method_of(sets.sadd)
    smembers = method_of(sets.smembers)
    srem = method_of(sets.srem)
    sismember = method_of(sets.sismember)
    smismember = method_of(sets.smismember)
    scard = method_of(sets.scard)
    spop = method_of(sets.spop)
    spop_count = method_of(sets.spop_count)
    zadd = method_of(sorted_sets.zadd)
    zscore = method_of(sorted_sets.zscore)
    zadd_incr = method_of(sorted_sets.zadd_incr)
    zincrby = method_of(sorted_sets.zincrby)
    zrem = method_of(sorted_sets.zrem)
    zcard = method_of(sorted_sets.zcard)
    zcount = method_of(sorted_sets.zcount)
    zrange = method_of(sorted_sets.zrange)
    zrange_withscores = method_of(sorted_sets.zrange_withscores)
    zrank = method_of(sorted_sets.zrank)
    zrevrank = method_of(sorted_sets.zrevrank)
    zmscore = method_of(sorted_sets.zmscore)
    zpopmin = method_of(sorted_sets.zpopmin)
    zpopmax = method_of(sorted_sets.zpopmax)
