# Written by `glide-scripts stubs`; run it again when a script's declarations change.
from glide_scripts import AnyClient, Key, TBatch, TCall, TypedLibrary, TypedScript

class _Library_charge(TypedScript[..., int]):
    def __call__(
        __self,
        __client: AnyClient[int, TCall],
        /,
        account: Key,
        request: str,
        cents: int,
        *,
        once: bool | str | bytes | None = ...,
        once_ttl: float | None = ...,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        account: Key,
        request: str,
        cents: int,
        *,
        once: bool | str | bytes | None = ...,
        once_ttl: float | None = ...,
    ) -> TBatch: ...

class _Library_lock_acquire(TypedScript[..., int | None]):
    def __call__(
        __self,
        __client: AnyClient[int | None, TCall],
        /,
        lock: Key,
        fence: Key,
        holder: str,
        ttl_ms: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        lock: Key,
        fence: Key,
        holder: str,
        ttl_ms: int,
    ) -> TBatch: ...

class _Library_lock_extend(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        lock: Key,
        holder: str,
        ttl_ms: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        lock: Key,
        holder: str,
        ttl_ms: int,
    ) -> TBatch: ...

class _Library_lock_release(TypedScript[..., None]):
    def __call__(
        __self,
        __client: AnyClient[None, TCall],
        /,
        lock: Key,
        holder: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        lock: Key,
        holder: str,
    ) -> TBatch: ...

class _Library_lock_write(TypedScript[..., None]):
    def __call__(
        __self,
        __client: AnyClient[None, TCall],
        /,
        value: Key,
        fence: int,
        text: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        value: Key,
        fence: int,
        text: str,
    ) -> TBatch: ...

class _Library_lock(TypedLibrary):
    acquire: _Library_lock_acquire
    extend: _Library_lock_extend
    release: _Library_lock_release
    write: _Library_lock_write

class _Library_queue_done(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        id: str,
        attempt: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        id: str,
        attempt: int,
    ) -> TBatch: ...

class _Library_queue_failed(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        dead: Key,
        id: str,
        attempt: int,
        max_attempts: int,
        pause_ms: int,
        reason: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        dead: Key,
        id: str,
        attempt: int,
        max_attempts: int,
        pause_ms: int,
        reason: str,
    ) -> TBatch: ...

class _Library_queue_put(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        id: str,
        payload: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        id: str,
        payload: str,
    ) -> TBatch: ...

class _Library_queue_take(TypedScript[..., tuple[str, str, int] | None]):
    def __call__(
        __self,
        __client: AnyClient[tuple[str, str, int] | None, TCall],
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        dead: Key,
        lease_ms: int,
        max_attempts: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        ready: Key,
        jobs: Key,
        finished: Key,
        attempts: Key,
        due: Key,
        dead: Key,
        lease_ms: int,
        max_attempts: int,
    ) -> TBatch: ...

class _Library_queue(TypedLibrary):
    done: _Library_queue_done
    failed: _Library_queue_failed
    put: _Library_queue_put
    take: _Library_queue_take

class _Library_rate_limit(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        user: Key,
        limit: int,
        window: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        user: Key,
        limit: int,
        window: int,
    ) -> TBatch: ...

class _Library_stock_give_back(TypedScript[..., None]):
    def __call__(
        __self,
        __client: AnyClient[None, TCall],
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        order: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        order: str,
    ) -> TBatch: ...

class _Library_stock_reserve(TypedScript[..., int]):
    def __call__(
        __self,
        __client: AnyClient[int, TCall],
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        sold: Key,
        order: str,
        count: int,
        ttl_ms: int,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        sold: Key,
        order: str,
        count: int,
        ttl_ms: int,
    ) -> TBatch: ...

class _Library_stock_sell(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        sold: Key,
        order: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        stock: Key,
        held: Key,
        until_when: Key,
        sold: Key,
        order: str,
    ) -> TBatch: ...

class _Library_stock_take(TypedScript[..., int]):
    def __call__(
        __self,
        __client: AnyClient[int, TCall],
        /,
        sku: Key,
        count: int,
        token: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        sku: Key,
        count: int,
        token: str,
    ) -> TBatch: ...

class _Library_stock(TypedLibrary):
    give_back: _Library_stock_give_back
    reserve: _Library_stock_reserve
    sell: _Library_stock_sell
    take: _Library_stock_take

class _Library_token_bucket(TypedScript[..., tuple[bool, int, int]]):
    def __call__(
        __self,
        __client: AnyClient[tuple[bool, int, int], TCall],
        /,
        bucket: Key,
        capacity: int,
        per_second: float,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        bucket: Key,
        capacity: int,
        per_second: float,
    ) -> TBatch: ...

class _Library_vote(TypedScript[..., bool]):
    def __call__(
        __self,
        __client: AnyClient[bool, TCall],
        /,
        votes: Key,
        voters: Key,
        voter: str,
        choice: str,
    ) -> TCall: ...
    def add_to(
        __self,
        __batch: TBatch,
        /,
        votes: Key,
        voters: Key,
        voter: str,
        choice: str,
    ) -> TBatch: ...

class Library(TypedLibrary):
    charge: _Library_charge
    lock: _Library_lock
    queue: _Library_queue
    rate_limit: _Library_rate_limit
    stock: _Library_stock
    token_bucket: _Library_token_bucket
    vote: _Library_vote
