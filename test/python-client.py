"""Debian's redis for Python. Arguments: port, password. It says "kill" when the server may be killed, and goes on at
the next line that it reads. What is not as it should be ends it with an error."""

import sys
import time

import redis

port, password = int(sys.argv[1]), sys.argv[2]
db = redis.Redis(port=port, password=password, retry_on_error=[redis.ConnectionError], decode_responses=True)
raw = redis.Redis(port=port, password=password)


def same(found, wanted):
    if found != wanted:
        raise SystemExit(f"wanted {wanted!r}, got {found!r}")


def refused(work, error, text):
    try:
        work()
    except error as caught:
        if text in str(caught):
            return
        raise
    raise SystemExit(f"nothing was refused with {text}")


same(db.ping(), True)
refused(redis.Redis(port=port, password="wrong").ping, redis.ResponseError, "WRONGPASS")
refused(redis.Redis(port=port).ping, redis.AuthenticationError, "Authentication required")

# Strings, counters, expiry.
same(db.set("py:a", "1", ex=100), True)
same((db.get("py:a"), db.ttl("py:a"), db.persist("py:a"), db.ttl("py:a")), ("1", 100, True, -1))
same(db.set("py:a", "2", nx=True), None)
same(db.set("py:a", "2", get=True), "1")
same((db.incr("py:n"), db.incrby("py:n", 9), db.decr("py:n"), db.incrbyfloat("py:n", 0.5)), (1, 10, 9, 9.5))
same(db.getex("py:a", px=1), "2")
while db.get("py:a") is not None:
    time.sleep(0.001)
same((db.pttl("py:a"), db.exists("py:a", "py:n"), db.type("py:n")), (-2, 1, "string"))

# Hashes.
same(db.hset("py:h", mapping={"name": "Ada", "visits": 1}), 2)
same((db.hincrby("py:h", "visits", 41), db.hincrbyfloat("py:h", "score", 0.5)), (42, 0.5))
same(db.hgetall("py:h"), {"name": "Ada", "visits": "42", "score": "0.5"})
same((db.hmget("py:h", "name", "nosuch"), db.hexists("py:h", "name")), (["Ada", None], True))
same((db.hdel("py:h", "name", "score"), db.hkeys("py:h"), db.hlen("py:h")), (2, ["visits"], 1))
refused(lambda: db.get("py:h"), redis.ResponseError, "WRONGTYPE")

# Bytes, in a key, a value, a field.
every = bytes(range(256))
same((raw.set(b"py:" + every, every), raw.get(b"py:" + every)), (True, every))
same((raw.hset("py:bytes", every, every), raw.hgetall("py:bytes")), (1, {every: every}))

# Pipelines: of 10,000 commands in a transaction, and without.
with db.pipeline() as pipe:
    for i in range(10_000):
        pipe.incr("py:pipe")
    same(pipe.execute(), list(range(1, 10_001)))
with db.pipeline(transaction=False) as pipe:
    for i in range(10_000):
        pipe.set(f"py:user:{i % 1000}", i)
    pipe.hget("py:pipe", "f").get("py:pipe")
    replies = pipe.execute(raise_on_error=False)
same((replies[:10_000], type(replies[10_000]), replies[10_001]), ([True] * 10_000, redis.ResponseError, "10000"))

# Iterators.
same(sorted(db.scan_iter("py:user:*", count=70)), sorted(f"py:user:{i}" for i in range(1000)))
same(set(db.scan_iter("py:*", _type="hash")), {"py:h"} | {"py:bytes"})
db.hset("py:wide", mapping={f"f{i}": i for i in range(1000)})
same(dict(db.hscan_iter("py:wide", "f9*")), {f"f{i}": str(i) for i in range(1000) if str(i).startswith("9")})

# WATCH: a transaction that another one spoils once, and its second try.
db.set("py:balance", 10)
tries = []


def transfer(pipe):
    balance = int(pipe.get("py:balance"))
    tries.append(balance)
    if len(tries) == 1:
        raw.incrby("py:balance", 5)
    pipe.multi()
    pipe.set("py:balance", balance + 100)


same((db.transaction(transfer, "py:balance"), tries, db.get("py:balance")), ([True], [10, 15], "115"))

# The server is killed and started again. One line for each write that was answered is not needed: all were.
for i in range(200):
    db.set(f"py:kept:{i}", i)
print("kill", flush=True)
sys.stdin.readline()
same(db.mget([f"py:kept:{i}" for i in range(200)]), [str(i) for i in range(200)])
same((db.get("py:balance"), db.get("py:pipe"), db.hget("py:h", "visits")), ("115", "10000", "42"))
same(raw.get(b"py:" + every), every)
print("done", flush=True)
