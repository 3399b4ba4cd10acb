"""Checks what a power cut left: the filesystem is mounted (the kernel replays its journal), the registry is started
on it, and everything that its answers promised is asked for."""

import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import time

from expect import GONE, Expectation
from load import INDEX, MANIFEST, Registry, sha256

START_SECONDS = 60


class Failed(Exception):
    """What is wrong after a cut, in words."""


class Bench:
    """A place where disks are checked, one after the other: its own disk, mount point and port."""

    def __init__(self, place, number, chosen, password):
        self.place, self.dir, self.failures = chosen.place, os.path.join(place, f"bench{number}"), 0
        self.mount_point = os.path.join(self.dir, "mnt")
        os.makedirs(self.mount_point, exist_ok=True)
        self.disk = os.path.join(self.dir, "disk.img")
        self.cut = os.path.join(self.dir, "cut.img")
        self.http, self.https = 20000 + 2 * number, 20001 + 2 * number
        self.filesystem, self.binary, self.config, self.share = chosen.fs, chosen.binary, chosen.config, chosen.old
        self.password, self.password_file = password, os.path.join(self.dir, "password")
        with open(self.password_file, "w", encoding="ascii") as file:
            file.write(password)

    def clone(self):
        """A copy of the disk as it is now, without copying bytes: the place is a filesystem with shared extents."""
        subprocess.run(["cp", "--reflink=always", self.disk, self.cut], check=True)

    def check(self, history, expectation, chance):
        """Mounts the clone, serves it, compares. Returns how many things were asked for and the start-up time."""
        with self.mounted(), self.serving() as seconds:
            return Visit(self.http, self.password, history, expectation, self.share, chance).all(), seconds

    @contextlib.contextmanager
    def mounted(self):
        # Two clones of an XFS bear the same UUID.
        options = "loop,nouuid" if self.filesystem == "xfs" else "loop"
        words = ["mount", "-t", self.filesystem, "-o", options, self.cut, self.mount_point]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"the filesystem cannot be mounted: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", self.mount_point], check=True)

    @contextlib.contextmanager
    def serving(self):
        log = os.path.join(self.dir, "server.log")
        words = [self.binary, "--config", self.config, "--data-dir", os.path.join(self.mount_point, "registry"), "serve"]
        words += ["--listen", f"127.0.0.1:{self.https}", "--http", f"127.0.0.1:{self.http}", "--fqdn", "registry.lab"]
        words += ["--admin-password-file", self.password_file]
        with open(log, "w", encoding="utf-8") as out:
            server = subprocess.Popen(words, stdout=out, stderr=out)
        try:
            begin = time.monotonic()
            while not self.answers():
                if server.poll() is not None or time.monotonic() > begin + START_SECONDS:
                    raise Failed(f"the registry does not start ({server.poll()}): {tail(log)}")
                time.sleep(0.01)
            yield time.monotonic() - begin
            if server.poll() is not None:
                raise Failed(f"the registry ended ({server.poll()}): {tail(log)}")
        finally:
            server.kill()
            server.wait()

    def answers(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=START_SECONDS)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 401
        except OSError:
            return False
        finally:
            connection.close()

    def keep(self, number):
        """Keeps the clone, as the mount and the registry left it, for a person to look at."""
        path = os.path.join(self.place, f"failed-{number}.img")
        subprocess.run(["cp", "--sparse=always", self.cut, path], check=True)
        return os.path.realpath(path)


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return " | ".join(line.strip() for line in file.readlines()[-6:])


class Visit:
    """Asks a registry for everything that an expectation names."""

    def __init__(self, port, password, history, expectation, share, chance):
        self.registry, self.history, self.chance = Registry(port, password), history, chance
        self.allowed, self.old, self.share = expectation.allowed, expectation.old, share
        self.wrong, self.asked = [], 0

    def all(self):
        status, _, body = self.registry.ask("GET", "/v2/")
        if status != 200:
            raise Failed(f"the sign-in fails: {status} {body[:200]!r}")
        # All that is new is asked for, and a part of what is old, another one in each cut: what a cut has lost, the
        # cuts after it have lost too.
        left_out = {key for key in sorted(self.old) if self.chance.random() >= self.share}
        parts = set()
        for key, values in self.allowed.items():
            if key[0] != "blob" and key not in left_out and self.manifest(*key, values):
                parts.update((key[1], part) for part in self.history.manifests[key[2]])
        # What a manifest refers to is there if the manifest is, whatever else is allowed.
        for key, values in self.allowed.items():
            needed = (key[1], key[2]) in parts
            if key[0] == "blob" and key not in left_out:
                self.blob(*key, {key[2]} if needed else values)
        self.lists()
        self.new_push()
        if self.wrong:
            raise Failed("; ".join(self.wrong[:20]) + (f"; … ({len(self.wrong)})" if len(self.wrong) > 20 else ""))
        return self.asked

    def note(self, what, values, found):
        self.asked += 1
        if found not in values:
            self.wrong.append(f"{what}: allowed {sorted(map(str, values))}, found {found}")

    def manifest(self, kind, repo, name, values):
        """A tag or a manifest by digest: its bytes. True for a manifest by digest that is there."""
        path = f"/v2/{repo}/manifests/{name}"
        status, _, body = self.registry.ask("GET", path, Accept=f"{MANIFEST}, {INDEX}")
        self.note(f"{kind} {repo} {name}", values, found(status, sha256(body)))
        return kind == "manifest" and status == 200

    def blob(self, kind, repo, name, values):
        status, _, body = self.registry.ask("GET", f"/v2/{repo}/blobs/{name}")
        self.note(f"{kind} {repo} {name}", values, found(status, sha256(body)))

    def lists(self):
        """The list of tags says the same as the tags."""
        for repo in {key[1] for key in self.allowed}:
            status, _, body = self.registry.ask("GET", f"/v2/{repo}/tags/list?n=10000")
            tags = set(json.loads(body)["tags"] or ()) if status == 200 else set()
            known = {key[2]: values for key, values in self.allowed.items() if key[:2] == ("tag", repo)}
            for tag, values in known.items():
                if values == {GONE} and tag in tags or GONE not in values and tag not in tags:
                    self.wrong.append(f"the list of tags of {repo} and {tag}: allowed {values}, listed {tag in tags}")
            if tags - known.keys():
                self.wrong.append(f"{repo} lists tags that nobody pushed: {sorted(tags - known.keys())}")

    def new_push(self):
        """The registry goes on: it takes a blob and gives it back."""
        data = self.chance.randbytes(20_000)
        digest = sha256(data)
        path = f"/v2/after/cut/blobs/uploads/?digest={digest}"
        status, _, body = self.registry.ask("POST", path, data, Content_Type="application/octet-stream")
        if status != 201:
            self.wrong.append(f"a push after the cut: {status} {body[:200]!r}")
        self.blob("blob", "after/cut", digest, {digest})


def found(status, digest):
    """What an answer says is there."""
    return digest if status == 200 else GONE if status == 404 else f"status {status}"


def run(bench, log, history, base, cuts, options, report):
    """Checks the cuts after the segments `cuts` (a range), and torn ones between each and the next. `report` is called
    for each cut with its name, how many things were asked for, the start-up time and what is wrong (or None)."""
    subprocess.run(["cp", "--sparse=always", base, bench.disk], check=True)
    disk = os.open(bench.disk, os.O_RDWR)
    applied = 0
    for number in cuts:
        for earlier in log.segments[applied:number]:
            log.apply(earlier, disk)
        segment, applied = log.segments[number], number + 1
        chance = random.Random(f"{options.seed}/{number}")
        following = log.segments[number + 1] if number + 1 < len(log.segments) else None
        if not options.lying:
            log.apply(segment, disk)
            bench.clone()
        else:
            # A disk that says it has flushed and has not, this once: to see that the check finds what is lost.
            bench.clone()
            if segment.writes:
                tear(log, segment, bench.cut, f"{options.seed}/{number}/lie")
            log.apply(segment, disk)
        next_flush = following.end if following else sys.maxsize
        judge(bench, history, Expectation(history, next_flush, segment.end, options.lease), chance, report, number, "")
        if following and following.writes and options.torn:
            bench.clone()
            words, reached = tear(log, following, bench.cut, f"{options.seed}/{number}/torn")
            expectation = Expectation(history, next_flush, reached, options.lease)
            judge(bench, history, expectation, chance, report, number, words)
    os.close(disk)


def tear(log, segment, path, seed):
    """`WriteLog.apply_torn` for a file."""
    disk = os.open(path, os.O_RDWR)
    try:
        return log.apply_torn(segment, disk, seed)
    finally:
        os.close(disk)


def judge(bench, history, expectation, chance, report, number, torn):
    try:
        asked, seconds = bench.check(history, expectation, chance)
        report(number, torn, asked, seconds, None)
    except (Failed, OSError, http.client.HTTPException) as error:
        bench.failures += 1
        if bench.failures == 1:
            error = f"{error or repr(error)} (disk kept: {bench.keep(number)})"
        report(number, torn, 0, 0, str(error) or repr(error))
