# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between any two parts, in a process of its own: cuts, holds, delays, and knows a little HTTP and Kafka.

Each link is a listener of 127.0.0.1 that leads to one target. Its weather (see Weather) is changed at run time over a Unix
socket: one JSON object a line in, one out. `python -m harness.proxy SOCKET` runs until its standard input closes.
"""
import asyncio
import collections
import contextlib
import json
import random
import sys
import time
import urllib.parse

CHUNK = 65536
GIVEN_UP_S = 2.9
KAFKA_JOIN_GROUP, KAFKA_LEAVE_GROUP, KAFKA_SYNC_GROUP, KAFKA_INIT_PRODUCER_ID, KAFKA_TXN_OFFSET_COMMIT = 11, 13, 14, 22, 28
_STORM = (b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.'
          b"</Message></Error>")
_DENIED = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'


class Weather:
    """What a link does now."""

    def __init__(self, **values):
        self.down = values.get("down", False)            # connections are reset and new ones refused
        self.hold = values.get("hold", "")               # "both", "answers", "writes": bytes wait until the weather changes
        self.late_s = values.get("late_s", 0.0)          # what then has waited so long that it was given up waits on
        self.delay_ms = values.get("delay_ms", 0)        # each byte comes so much later, in both directions
        self.http = values.get("http", "")               # storm, refuse, half, lost, cut: what happens to a request
        self.share = values.get("share", 1.0)            # of the requests
        self.kafka_hold = values.get("kafka_hold", [])   # numbers of API requests that wait until the weather changes
        self.kafka_lose = values.get("kafka_lose", [])   # … whose answer is lost, and the connection with it
        self.changed = asyncio.Event()

    async def passes(self, answers):
        while self.hold == "both" or (self.hold == "answers" and answers):
            await self.changed.wait()
            return False
        return True


class Link:
    def __init__(self, name, kind, port, target):
        self.name, self.kind, self.port, self.target = name, kind, port, target
        self.weather = Weather()
        self.server = None
        self.transports = set()
        self.accepted = 0

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, reuse_address=True)

    def reset(self):
        for transport in list(self.transports):
            transport.abort()

    async def change(self, weather):
        before, self.weather = self.weather, Weather(**weather)
        before.changed.set()
        if self.weather.down or weather.get("reset"):
            self.reset()
        if self.weather.down and self.server:
            self.server.close()
            self.server = None
        elif not self.weather.down and self.server is None:
            await self.open()

    async def serve(self, reader, writer):
        self.accepted += 1
        self.transports.add(writer.transport)
        upstream = None
        try:
            while not await self.weather.passes(False):
                pass
            to_reader, upstream = await asyncio.open_connection(*self.target)
            self.transports.add(upstream.transport)
            if self.kind == "http":
                await HttpPair(self, reader, writer, to_reader, upstream).run()
            elif self.kind == "kafka":
                await KafkaPair(self, reader, writer, to_reader, upstream).run()
            else:
                await both(pump(self, reader, upstream, False), pump(self, to_reader, writer, True))
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            for end in (writer, upstream):
                if end is not None:
                    self.transports.discard(end.transport)
                    end.transport.abort()


async def both(first, second):
    """Until one of the two directions ends."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # What the other direction holds already may still arrive.
        await asyncio.wait(tasks, timeout=0.2)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Pipe:
    """Bytes on their way to `writer`: in order, each as late as the weather wants it."""

    def __init__(self, link, writer, answers):
        self.link, self.writer, self.answers = link, writer, answers
        self.queue = collections.deque()
        self.size = 0
        self.wake = asyncio.Event()
        self.room = asyncio.Event()
        self.done = False

    async def put(self, data):
        self.queue.append((time.monotonic() + self.link.weather.delay_ms / 1000, data))
        self.size += len(data)
        self.wake.set()
        while self.size > 4 * CHUNK:
            self.room.clear()
            await self.room.wait()

    async def run(self):
        while True:
            while not self.queue:
                if self.done:
                    return
                self.wake.clear()
                await self.wake.wait()
            due, data = self.queue.popleft()
            if due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
            while not await self.link.weather.passes(self.answers):
                pass
            self.writer.write(data)
            await self.writer.drain()
            self.size -= len(data)
            self.room.set()

    def finish(self):
        self.done = True
        self.wake.set()


async def pump(link, reader, writer, answers):
    pipe = Pipe(link, writer, answers)

    async def read():
        while data := await reader.read(CHUNK):
            await pipe.put(data)
        pipe.finish()

    await asyncio.gather(read(), pipe.run())


class HttpPair:
    """One connection, request by request."""

    def __init__(self, link, client_in, client_out, server_in, server_out):
        self.link = link
        self.client_in, self.client_out, self.server_in, self.server_out = client_in, client_out, server_in, server_out

    async def run(self):
        while await self.exchange():
            pass

    async def weather(self, answers):
        while not await self.link.weather.passes(answers):
            pass
        if self.link.weather.delay_ms:
            await asyncio.sleep(self.link.weather.delay_ms / 1000)

    async def write_may_go(self):
        began = time.monotonic()
        while self.link.weather.hold == "writes":
            await self.link.weather.changed.wait()
        if time.monotonic() - began > GIVEN_UP_S:
            await asyncio.sleep(self.link.weather.late_s)

    async def answer(self, status, body, method, length):
        """Instead of the server, which never sees the request."""
        await skip(self.client_in, length)
        body = b"" if method == "HEAD" else body
        self.client_out.write(b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s"
                              % (status, len(body), body))
        await self.client_out.drain()
        return True

    async def exchange(self):
        head = await self.client_in.readuntil(b"\r\n\r\n")
        line, headers = parse_head(head)
        method, path = line.split(" ")[:2]
        length = int(headers.get("content-length", 0))
        weather = self.link.weather
        what = weather.http if weather.http and random.random() < weather.share else ""
        await self.weather(False)
        if method == "PUT" or "uploadId=" in path:
            await self.write_may_go()
        if what == "storm":
            return await self.answer(b"503 Slow Down", _STORM, method, length)
        if what == "refuse" and method in ("PUT", "POST"):
            return await self.answer(b"403 Forbidden", _DENIED, method, length)
        self.server_out.write(head)
        if what == "cut":
            await copy(self.client_in, self.server_out, length // 2)
            return False
        await copy(self.client_in, self.server_out, length)
        answer, body = await read_answer(self.server_in, method)
        note_write(self.link, method, path, answer, body)
        await self.weather(True)
        whole = answer + body
        if what == "lost":
            return False
        if what == "half":
            self.client_out.write(whole[:max(1, len(whole) // 2)])
            await self.client_out.drain()
            await asyncio.sleep(0.02)
            return False
        for at in range(0, len(whole), CHUNK):
            self.client_out.write(whole[at:at + CHUNK])
            await self.client_out.drain()
        return b"connection: close" not in answer.lower()


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return lines[0], headers


async def skip(reader, length):
    while length > 0:
        data = await reader.read(min(CHUNK, length))
        if not data:
            raise EOFError
        length -= len(data)


async def copy(reader, writer, length):
    while length > 0:
        data = await reader.read(min(CHUNK, length))
        if not data:
            raise EOFError
        writer.write(data)
        await writer.drain()
        length -= len(data)
    await writer.drain()


async def read_answer(reader, method):
    """(head, body as it stands on the wire)"""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        line, headers = parse_head(head)
        status = int(line.split(" ")[1])
        if status >= 200:
            break
    if method == "HEAD" or status in (204, 304):
        return head, b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size = await reader.readuntil(b"\r\n")
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            body += size + chunk
            if chunk == b"\r\n" and int(size.split(b";")[0], 16) == 0:
                return head, body
    if "content-length" in headers:
        return head, await reader.readexactly(int(headers["content-length"]))
    return head, await reader.read()


WRITES = []  # objects that the store made: (link, path, upload id, "" for a PUT)


def note_write(link, method, path, answer, body):
    """A write that the server has done counts, whether or not the worker hears of it."""
    name, _, query = path.partition("?")
    status = int(answer.split(b" ")[1])
    puts_object = method == "PUT" and not query and name.strip("/").count("/") > 0
    completes = method == "POST" and "uploadId=" in query
    if status == 200 and (puts_object or completes) and b"<Error" not in body:
        upload = urllib.parse.parse_qs(query).get("uploadId", [""])[0]
        WRITES.append([link.name, name, upload])


class KafkaPair:
    """One connection, frame by frame: requests carry the number of their API, answers the request's correlation id."""

    def __init__(self, link, client_in, client_out, server_in, server_out):
        self.link = link
        self.client_in, self.server_in = client_in, server_in
        self.up, self.down = Pipe(link, server_out, False), Pipe(link, client_out, True)
        self.asked = {}

    async def run(self):
        await both(asyncio.wait_for(self.requests(), None), self.answers())

    async def requests(self):
        sender = asyncio.ensure_future(self.up.run())
        try:
            while True:
                frame = await read_frame(self.client_in)
                api = int.from_bytes(frame[4:6], "big")
                self.asked[frame[8:12]] = api
                note_request(self.link, api, frame)
                while api in self.link.weather.kafka_hold:
                    await self.link.weather.changed.wait()
                await self.up.put(frame)
        finally:
            sender.cancel()

    async def answers(self):
        sender = asyncio.ensure_future(self.down.run())
        try:
            while True:
                frame = await read_frame(self.server_in)
                api = self.asked.pop(frame[4:8], -1)
                if api == KAFKA_SYNC_GROUP:
                    REVOKED.discard(worker_of(self.link))
                if api in self.link.weather.kafka_lose:
                    return
                await self.down.put(frame)
        finally:
            sender.cancel()


async def read_frame(reader):
    size = await reader.readexactly(4)
    return size + await reader.readexactly(int.from_bytes(size, "big"))


TRANSACTIONAL_IDS = {}   # by link's name: the newest one
REVOKED = set()          # workers that have given up their partitions, and wait for new ones or are about to end
IDS_OVER = set()         # transactional ids of processes that have ended
LATE_POSITIONS = []      # (worker, time) of positions that were sent in between


def worker_of(link):
    return link.name.partition("-")[0]


def note_request(link, api, frame):
    if api == KAFKA_INIT_PRODUCER_ID and (found := first_string(frame, 2)):
        TRANSACTIONAL_IDS[link.name] = found
    elif api in (KAFKA_JOIN_GROUP, KAFKA_LEAVE_GROUP):
        REVOKED.add(worker_of(link))
    elif api == KAFKA_TXN_OFFSET_COMMIT and worker_of(link) in REVOKED and first_string(frame, 3) not in IDS_OVER:
        LATE_POSITIONS.append((worker_of(link), time.time()))


def first_string(frame, flexible_from):
    """The first field of a request, which is a string: short ones have tagged fields (none) before them."""
    at = 14 + max(int.from_bytes(frame[12:14], "big", signed=True), 0)  # behind the client's id
    if int.from_bytes(frame[6:8], "big") >= flexible_from:
        at, size = at + 2, frame[at + 1] - 1
    else:
        at, size = at + 2, int.from_bytes(frame[at:at + 2], "big", signed=True)
    return frame[at:at + max(size, 0)].decode("ascii", "replace")


def note_start(worker):
    """A new process: what the one before it has left in its connections says nothing of this one."""
    IDS_OVER.update(id for name, id in TRANSACTIONAL_IDS.items() if name.startswith(f"{worker}-"))
    REVOKED.discard(worker)


class Control:
    def __init__(self):
        self.links = {}

    async def command(self, request):
        what = request["do"]
        if what == "open":
            link = Link(request["name"], request["kind"], request["port"], tuple(request["target"]))
            await link.open()
            self.links[link.name] = link
        elif what == "weather":
            for name in request["links"]:
                await self.links[name].change(request["weather"])
        elif what == "writes":
            return {"writes": WRITES}
        elif what == "started":
            note_start(request["worker"])
        elif what == "late-positions":
            late, LATE_POSITIONS[:] = list(LATE_POSITIONS), []
            return {"late": late}
        elif what == "transactional-ids":
            return {"ids": TRANSACTIONAL_IDS}
        else:
            raise ValueError(what)
        return {}

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    answer = await self.command(json.loads(line))
                except (ValueError, KeyError, OSError) as error:
                    answer = {"error": repr(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()


async def main(path):
    control = Control()
    server = await asyncio.start_unix_server(control.serve, path, limit=1 << 20)
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: None if sys.stdin.buffer.read1(1) else ended.done() or ended.set_result(None))
    print("ready", flush=True)
    await ended
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
