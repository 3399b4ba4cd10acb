"""Tests of the parts that need no machine: the log's format, the cuts, and what is expected after one."""

import json
import os
import sys
import tempfile
import unittest

from expect import GONE, History, Expectation
from writelog import FLUSH, HEADER, MAGIC, SUPER, WriteLog

SECTOR = 512


def write_log(path, entries):
    """A log of these entries: (sector, data) for a write, None for a flush."""
    with open(path, "wb") as file:
        file.write(SUPER.pack(MAGIC, 1, len(entries), SECTOR).ljust(SECTOR, b"\0"))
        for entry in entries:
            if entry is None:
                file.write(HEADER.pack(0, 0, FLUSH, 0).ljust(SECTOR, b"\0"))
            else:
                sector, data = entry
                file.write(HEADER.pack(sector, len(data) // SECTOR, 0, 0).ljust(SECTOR, b"\0") + data)


class Logs(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.path = os.path.join(self.dir.name, "log")

    def disk(self, change):
        path = os.path.join(self.dir.name, "disk")
        with open(path, "wb") as file:
            file.truncate(16 * SECTOR)
        disk = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, disk)
        change(disk)
        return os.pread(disk, 16 * SECTOR, 0)

    def test_a_log_is_cut_at_its_flushes(self):
        write_log(self.path, [(1, b"a" * SECTOR), None, (2, b"b" * 2 * SECTOR), (1, b"c" * SECTOR), None, (9, b"d" * SECTOR)])
        log = WriteLog(self.path)
        self.addCleanup(log.file.close)
        self.assertEqual([len(segment.writes) for segment in log.segments], [1, 2], "what was not flushed is no segment")
        self.assertEqual([segment.end for segment in log.segments], [4 * SECTOR, 10 * SECTOR])

        def whole(disk):
            for segment in log.segments:
                log.apply(segment, disk)

        self.assertEqual(self.disk(whole)[: 5 * SECTOR], b"\0" * SECTOR + b"c" * SECTOR + b"b" * 2 * SECTOR + b"\0" * SECTOR)

    def test_an_entry_that_was_cut_off_is_left_out(self):
        write_log(self.path, [(1, b"a" * SECTOR), None, (2, b"b" * 4 * SECTOR), None])
        os.truncate(self.path, 6 * SECTOR)
        log = WriteLog(self.path)
        self.addCleanup(log.file.close)
        self.assertEqual(len(log.segments), 1)

    def test_a_torn_segment_leaves_whole_sectors_of_what_was_written_and_is_the_same_for_a_seed(self):
        write_log(self.path, [(2 * n, bytes([65 + n]) * 2 * SECTOR) for n in range(8)] + [None])
        log = WriteLog(self.path)
        self.addCleanup(log.file.close)
        seen = set()
        for seed in range(200):
            disk = self.disk(lambda disk, seed=seed: log.apply_torn(log.segments[0], disk, seed))
            self.assertEqual(disk, self.disk(lambda disk, seed=seed: log.apply_torn(log.segments[0], disk, seed)))
            for at in range(16):
                self.assertIn(disk[at * SECTOR : (at + 1) * SECTOR], (b"\0" * SECTOR, bytes([65 + at // 2]) * SECTOR))
            seen.add(disk)
        self.assertGreater(len(seen), 50)


class Expectations(unittest.TestCase):
    TAG = ("tag", "lab/one", "v1")

    def history(self, *entries):
        with tempfile.NamedTemporaryFile("w", suffix="record") as file:
            for entry in entries:
                file.write(json.dumps({"sent_at": 0, "done_at": 0, **entry}) + "\n")
            file.flush()
            return History(file.name)

    def tag(self, value, sent, done, **more):
        return {"sent": sent, "done": done, "effects": [(*self.TAG, value)], **more}

    def allowed(self, history, next_flush, reached, lease=60):
        return Expectation(history, next_flush, reached, lease).allowed

    def test_what_was_acknowledged_before_the_next_flush_rests_on_this_one(self):
        history = self.history(self.tag("a", 100, 200), self.tag("b", 300, 400))
        self.assertEqual(self.allowed(history, next_flush=201, reached=150)[self.TAG], {"a"})
        self.assertEqual(self.allowed(history, next_flush=200, reached=150)[self.TAG], {GONE, "a"}, "the next may be its own")
        self.assertNotIn(self.TAG, self.allowed(history, next_flush=90, reached=80), "it was not even sent")
        self.assertEqual(self.allowed(history, next_flush=350, reached=320)[self.TAG], {"a", "b"})
        self.assertEqual(self.allowed(history, next_flush=sys.maxsize, reached=500)[self.TAG], {"b"})

    def test_a_request_without_an_answer_leaves_both_for_ever(self):
        history = self.history(self.tag("a", 100, 200), self.tag(GONE, 300, None))
        self.assertEqual(self.allowed(history, next_flush=9000, reached=8000)[self.TAG], {"a", GONE})

    def test_a_blob_that_nothing_refers_to_may_go_after_its_lease_and_no_other(self):
        blob, part = ("blob", "lab/one", "sha256:b"), ("blob", "lab/one", "sha256:p")
        history = self.history(
            {"sent": 1, "done": 2, "done_at": 10, "effects": [(*blob, blob[2]), (*part, part[2])]},
            {"sent": 3, "done": 4, "done_at": 11, "manifests": {"sha256:m": [part[2]]},
             "effects": [("manifest", "lab/one", "sha256:m", "sha256:m")]},
            {"sent": 900, "sent_at": 100, "done": 901, "done_at": 100, "effects": []},
        )
        early = self.allowed(history, next_flush=10, reached=9, lease=100)
        self.assertEqual(early[blob], {blob[2]})
        late = self.allowed(history, next_flush=900, reached=800, lease=60)
        self.assertEqual(late[blob], {blob[2], GONE})
        self.assertEqual(late[part], {part[2]})


if __name__ == "__main__":
    unittest.main()
