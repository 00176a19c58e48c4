# SPDX-License-Identifier: Apache-2.0
"""The faults. Each is a function of the world and of a random source that was seeded for its cycle: it draws all that it
will do first, so that the same seed gives the same fault, then does it and heals it. It returns when all is healed."""
import os
import random
import signal
import time
from dataclasses import dataclass

from confluent_kafka import KafkaException, Producer

from .world import FAKETIME, WORKERS

PRODUCE, FETCH, ADD_PARTITIONS, END_TXN, TXN_OFFSET_COMMIT = 0, 1, 24, 26, 28
SESSION_S, TRANSACTION_S = 6.0, 5.0
STALL_S = 3.0  # then a request to the store is given up
CLOSE_WAIT_S, REVOKE_WAIT_S = 3.0, 5.0  # how long a revoke waits at most: for its marks, in all


class Skip(Exception):
    """This fault cannot be made here; the reason."""


@dataclass(frozen=True)
class Fault:
    name: str
    run: object
    brokers: tuple = (1, 3)  # numbers of brokers with which it makes sense
    special: tuple = ()      # commands of these kinds are among the cycle's
    spread_s: float = 2.0    # in which most of the commands are sent
    note: str = ""
    first: object = None     # what is done in quiet, before the commands of the cycle are sent


FAULTS = {}


def fault(name, brokers=(1, 3), special=(), spread_s=2.0, first=None):
    def add(function):
        FAULTS[name] = Fault(name, function, brokers, special, spread_s, (function.__doc__ or "").strip(), first)
        return function
    return add


def sleep(seconds):
    time.sleep(max(seconds, 0))


def some(draw):
    """One worker, or more, or all."""
    return sorted(draw.sample(WORKERS, draw.choice([1, 1, 2, 3])))


def links(world, workers, part):
    return [name for name in world.proxy.names for n in workers if name.startswith(f"w{n}-{part}")]


def for_a_while(world, names, seconds, **weather):
    world.proxy.weather(names, **weather)
    sleep(seconds)
    world.proxy.weather(names)


# ---- workers

@fault("worker-kill", special=("big",))
def worker_kill(world, draw):
    """kill -9 of one worker or more, started again at once or seconds later"""
    victims, before, down = some(draw), draw.uniform(0.1, 2.5), draw.choice([0, 0.5, 3])
    again = draw.random() < 0.4
    sleep(before)
    for _ in range(2 if again else 1):
        for number in victims:
            world.kill_worker(number)
        sleep(down)
        for number in victims:
            world.start_worker(number)
        if again:
            sleep(1.5)


@fault("worker-stop", special=("big",))
def worker_stop(world, draw):
    """SIGSTOP past the session timeout, then SIGCONT: a worker that does not know that its partitions went away"""
    victims, before = sorted(draw.sample(WORKERS, draw.choice([1, 1, 2]))), draw.uniform(0.1, 2.0)
    seconds = SESSION_S + draw.uniform(0.5, 2.0)
    sleep(before)
    for number in victims:
        os.kill(world.workers[number].pid, signal.SIGSTOP)
    sleep(seconds)
    for number in victims:
        os.kill(world.workers[number].pid, signal.SIGCONT)


@fault("worker-pause")
def worker_pause(world, draw):
    """SIGSTOP for about as long as a transaction may be open, shorter than the session"""
    victims, before, seconds = some(draw), draw.uniform(0.1, 2.0), draw.uniform(TRANSACTION_S - 0.5, SESSION_S - 0.3)
    sleep(before)
    for number in victims:
        os.kill(world.workers[number].pid, signal.SIGSTOP)
    sleep(seconds)
    for number in victims:
        os.kill(world.workers[number].pid, signal.SIGCONT)


@fault("worker-restart", special=("big",))
def worker_restart(world, draw):
    """SIGTERM of one worker after the other, each started again: rebalances with work under way"""
    order, before = draw.sample(WORKERS, draw.choice([1, 2, 3])), draw.uniform(0.1, 1.0)
    pauses = [draw.uniform(0, 1.0) for _ in order]
    sleep(before)
    for number, pause in zip(order, pauses):
        world.end_worker(number)
        sleep(pause)
        world.start_worker(number)


@fault("clock-step")
def clock_step(world, draw):
    """the clock of one worker steps forth and back while it works"""
    number, step, before = draw.choice(WORKERS), draw.choice([-7, -3, 3, 7]), draw.uniform(1.0, 2.0)
    if not os.path.exists(FAKETIME):
        raise Skip("libfaketime is not installed (Debian package faketime)")
    path = world.folder / f"clock-{number}"

    def set_clock(offset):
        new = path.with_suffix(".new")
        new.write_text(f"{offset:+d}s\n" if offset else "+0s\n")
        new.rename(path)

    set_clock(0)
    world.end_worker(number)
    world.start_worker(number, {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
                                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    sleep(before)
    set_clock(step)
    sleep(1.5)
    set_clock(0)
    sleep(0.5)
    world.end_worker(number)
    world.start_worker(number)


@fault("work-dir-full", special=("long-list", "long-list"))
def work_dir_full(world, draw):
    """no room in export.work_dir"""
    victims, seconds = list(WORKERS), draw.uniform(1.5, 3.0)
    if not world.work_mounted:
        raise Skip("a small file system cannot be mounted here (needs root and the right to mount)")
    for number in victims:
        world.resize_work_dir(number, "16k")
    sleep(seconds)
    for number in victims:
        world.resize_work_dir(number, "64m")


# ---- network

def cut(name, part, longest, special=()):
    @fault(f"{name}-cut", special=special)
    def run(world, draw):
        victims, before, seconds = some(draw), draw.uniform(0.1, 1.5), draw.uniform(0.3, longest)
        flaps = draw.choice([1, 1, 3])
        sleep(before)
        for _ in range(flaps):
            for_a_while(world, links(world, victims, part), seconds / flaps, down=True)
            sleep(0.2)
    run.__doc__ = f"connections of workers to {name} are reset and refused"


def hold(name, part, longest, special=()):
    @fault(f"{name}-hang", special=special)
    def run(world, draw):
        victims, before, seconds = some(draw), draw.uniform(0.1, 1.5), draw.uniform(0.5, longest)
        what, reset = draw.choice(["both", "answers"]), draw.random() < 0.5
        names = links(world, victims, part)
        sleep(before)
        world.proxy.weather(names, hold=what)
        sleep(seconds)
        if reset:
            world.proxy.weather(names, hold=what, reset=True)
        world.proxy.weather(names)
    run.__doc__ = f"nothing comes through between workers and {name}, or no answers"


def slow(name, part, ms, special=()):
    @fault(f"{name}-delay", special=special)
    def run(world, draw):
        victims, before, seconds = some(draw), draw.uniform(0.0, 0.5), draw.uniform(3.0, 5.0)
        delay_ms = draw.randrange(*ms)
        rejoin = draw.random() < 0.7
        restarted = draw.choice(WORKERS)
        sleep(before)
        world.proxy.weather(links(world, victims, part), delay_ms=delay_ms)
        sleep(seconds / 2)
        if rejoin:  # a rebalance while everything takes long
            world.kill_worker(restarted)
            world.start_worker(restarted)
        sleep(seconds / 2)
        world.proxy.weather(links(world, victims, part))
    run.__doc__ = f"every byte between workers and {name} comes late, and a worker joins meanwhile"


for _name, _longest, _ms in (("kafka", 8.5, (40, 300)), ("postgres", 4.0, (20, 150)), ("s3", 4.0, (20, 200)),
                             ("redis", 4.0, (20, 300))):
    _special = ("big",) if _name in ("s3", "postgres") else ()
    cut(_name, _name, _longest, _special)
    if _name != "s3":
        hold(_name, _name, _longest, _special)
    slow(_name, _name, _ms, _special)


# ---- Kafka's transactions

@fault("txn-late")
def txn_late(world, draw):
    """the end of transactions reaches the coordinator only after it has aborted them: the worker cannot know their end"""
    victims, before = some(draw), draw.uniform(0.1, 1.0)
    api = draw.choice([[END_TXN], [END_TXN], [TXN_OFFSET_COMMIT], [PRODUCE]])
    sleep(before)
    world.proxy.weather(links(world, victims, "kafka"), kafka_hold=api)
    sleep(TRANSACTION_S + 2.0)
    world.proxy.weather(links(world, victims, "kafka"))


@fault("txn-fenced")
def txn_fenced(world, draw):
    """a transaction is committed, the answer is lost, and before the worker can ask again its producer is fenced"""
    victims, before, tries = some(draw), draw.uniform(0.1, 0.5), draw.choice([1, 2, 3])
    lose = draw.random() < 0.8
    sleep(before)
    names = links(world, victims, "kafka")
    for _ in range(tries):
        if lose:
            world.proxy.weather(names, kafka_lose=[END_TXN])
            sleep(0.4)
        fence(world, victims)
        world.proxy.weather(names)
        sleep(0.8)


@fault("revoke-late", spread_s=4.0)
def revoke_late(world, draw):
    """partitions are taken from a worker whose transaction is stuck: it goes on after another worker did its commands"""
    victim, other = draw.sample(WORKERS, 2)
    before, rest = draw.uniform(0.3, 1.0), draw.uniform(0.5, 1.5)
    patient = {"EXPORT_KAFKA_TRANSACTION_TIMEOUT_MS": "15000"}  # longer than a revoke waits
    world.end_worker(victim)
    world.start_worker(victim, patient)
    sleep(before + 0.8)
    world.proxy.weather(links(world, [victim], "kafka"), kafka_hold=[draw.choice([PRODUCE, ADD_PARTITIONS])])
    sleep(1.0)
    world.end_worker(other)
    world.start_worker(other)
    sleep(REVOKE_WAIT_S + 3.0 + rest)  # 3 s for the other
    world.proxy.weather(links(world, [victim], "kafka"))
    sleep(0.5)


@fault("adopt-late", special=("misrouted", "misrouted", "keyless", "malformed", "oversized"), spread_s=3.0)
def adopt_late(world, draw):
    """outcomes wait while partitions are dealt again, and are adopted and committed before their records are read again"""
    other, before = draw.choice(WORKERS), draw.uniform(0.3, 1.5)
    late, rest = draw.uniform(CLOSE_WAIT_S + 1.0, TRANSACTION_S - 0.5), draw.uniform(0.8, 1.5)
    stay = links(world, [number for number in WORKERS if number != other], "kafka")
    sleep(before)
    world.proxy.weather(stay, kafka_hold=[END_TXN])
    began = time.monotonic()
    world.end_worker(other)
    world.start_worker(other)
    sleep(began + late - time.monotonic())
    world.proxy.weather(stay, kafka_hold=[FETCH])
    sleep(rest)
    world.proxy.weather(stay)


def fence(world, victims):
    """As another process with the same transactional.id would."""
    ids = world.proxy.transactional_ids()
    for transactional_id in {id for name, id in ids.items() if any(name.startswith(f"w{n}-") for n in victims)}:
        producer = Producer({"bootstrap.servers": world.brokers.bootstrap, "transactional.id": transactional_id,
                             "log_level": 0})
        try:
            producer.init_transactions(5)
        except KafkaException:
            pass  # its coordinator is not there now


# ---- topics

def remake_a_topic(world, draw):
    """In quiet: whatever stood in it has its outcome, so nothing is lost with it."""
    command = world.topics["command"]
    world.remake_topic(draw.choice([command] * 4 + world.tiers), draw.choice([0.0, 0.0, draw.uniform(0.2, 3.0)]))


@fault("topic-anew", first=remake_a_topic)
def topic_anew(world, draw):
    """the command topic or a retry tier was deleted and created again under the workers before these commands were sent"""
    number, before = draw.choice([None, *WORKERS]), draw.uniform(0.5, 2.0)
    sleep(before)
    if number:
        world.kill_worker(number)
        world.start_worker(number)


# ---- stores

@fault("s3-storm", special=("big",))
def s3_storm(world, draw):
    """the store answers 503 SlowDown, to all requests or many"""
    victims, before, seconds = some(draw), draw.uniform(0.1, 1.0), draw.uniform(1.0, 5.0)
    share = draw.choice([0.4, 0.8, 1.0])
    sleep(before)
    for_a_while(world, links(world, victims, "s3"), seconds, http="storm", share=share)


@fault("s3-refuse", special=("big",))
def s3_refuse(world, draw):
    """the store refuses all writes with 403, though it answers and can be read"""
    victims, before, seconds = some(draw), draw.uniform(0.1, 1.0), draw.uniform(1.5, 6.0)
    sleep(before)
    for_a_while(world, links(world, victims, "s3"), seconds, http="refuse")


@fault("s3-hang", special=("big",))
def s3_hang(world, draw):
    """nothing comes through between workers and s3, or no answers; or writes arrive late: they were given up, or their worker is dead"""
    how, before, seconds = draw.choice(["answers", "both", "reset", "given-up", "dead"]), draw.uniform(0.1, 1.5), draw.uniform(0.5, 4.0)
    victims = draw.sample(WORKERS, 1) if how == "dead" else some(draw)
    names = links(world, victims, "s3")
    sleep(before)
    if how in ("given-up", "dead"):
        world.proxy.weather(names, hold="writes")
        sleep(STALL_S)
        if how == "dead":
            for number in victims:
                world.kill_worker(number)
            sleep(SESSION_S + 2.0)  # the others do its commands
        sleep(0.5)
        world.proxy.weather(names, late_s=1.5)
        sleep(1.0)
    else:
        world.proxy.weather(names, hold="answers" if how == "answers" else "both")
        sleep(seconds)
        if how == "reset":
            world.proxy.weather(names, hold="both", reset=True)
        world.proxy.weather(names)


@fault("s3-half", special=("big",))
def s3_half(world, draw):
    """answers of the store that are cut in the middle, or lost after the store did the work; requests cut in the middle"""
    victims, before, seconds = some(draw), draw.uniform(0.1, 0.5), draw.uniform(1.5, 4.0)
    what, share = draw.choice(["half", "half", "lost", "cut"]), draw.choice([0.3, 0.6, 1.0])
    sleep(before)
    for_a_while(world, links(world, victims, "s3"), seconds, http=what, share=share)


@fault("postgres-stop", special=("big",))
def postgres_stop(world, draw):
    """immediate stop of PostgreSQL, and its restart"""
    before, seconds = draw.uniform(0.1, 1.5), draw.uniform(0.0, 2.0)
    sleep(before)
    world.signal_service("postgres", signal.SIGQUIT)
    sleep(seconds)
    deadline = time.monotonic() + 20
    while True:
        try:
            return world.service("start", "postgres")
        except RuntimeError:  # it still ends
            if time.monotonic() > deadline:
                raise
            sleep(0.3)


@fault("postgres-terminate", special=("big",))
def postgres_terminate(world, draw):
    """pg_terminate_backend of all the workers' connections, again and again"""
    times = [draw.uniform(0.1, 0.8) for _ in range(draw.randrange(1, 6))]
    for pause in times:
        sleep(pause)
        world.database.terminate_workers()


@fault("postgres-short", special=("big",))
def postgres_short(world, draw):
    """the workers' role may have fewer connections than there are lanes, or none; those that are open are ended, or stay"""
    before, seconds, limit = draw.uniform(0.0, 1.5), draw.uniform(2.0, 8.0), draw.choice([0, 1, 1, 2, 4])
    ends = [draw.random() for _ in range(draw.choice([0, 1, 1, 3]))]
    sleep(before)
    with world.database.connection_limit(limit):
        for part in ends:
            world.database.terminate_workers()
            sleep(part * seconds / len(ends))
        sleep(seconds - sum(ends) * seconds / len(ends) if ends else seconds)


@fault("redis-gone")
def redis_gone(world, draw):
    """Redis is killed, and comes back empty"""
    before, seconds = draw.uniform(0.1, 1.0), draw.uniform(0.5, 3.0)
    sleep(before)
    world.service("kill", "redis")
    sleep(seconds)
    world.service("start", "redis")


# ---- brokers

@fault("broker-kill")
def broker_kill(world, draw):
    """kill -9 of a broker, started again at once or seconds later"""
    victim, before, seconds = draw.choice(world.brokers.all), draw.uniform(0.1, 2.0), draw.choice([0, 1, 4])
    sleep(before)
    victim.kill()
    sleep(seconds)
    victim.start()


@fault("broker-shutdown", brokers=(3,))
def broker_shutdown(world, draw):
    """controlled shutdown of a broker, and its start"""
    victim, before, seconds = draw.choice(world.brokers.all), draw.uniform(0.1, 1.5), draw.choice([0, 2])
    sleep(before)
    victim.shut_down()
    sleep(seconds)
    victim.start()


@fault("broker-cut", brokers=(3,))
def broker_cut(world, draw):
    """nobody can follow one broker: with two in-sync replicas wanted its partitions take no more records"""
    victim, before, seconds = draw.choice(world.brokers.all), draw.uniform(0.1, 1.0), draw.uniform(3.0, 6.0)
    down = draw.random() < 0.5
    names = [f"broker{victim.number}-replication"]
    sleep(before)
    for_a_while(world, names, seconds, **({"down": True} if down else {"hold": "both"}))


@fault("two-at-once", special=("big",))
def two_at_once(world, draw):
    """two other faults, one after the other without waiting for quiet"""
    names = [name for name, one in sorted(FAULTS.items()) if world.broker_count in one.brokers and
             name not in ("two-at-once", "none", "clock-step", "work-dir-full", "topic-anew") and not name.startswith("broker")]
    first, second = draw.sample(names, 2)
    for name in (first, second):
        FAULTS[name].run(world, random.Random(draw.random()))
        world.heal_workers()


@fault("none")
def none(world, draw):
    """no fault: what the harness itself costs"""
