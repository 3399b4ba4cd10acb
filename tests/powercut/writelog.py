"""The write log of QEMU's blklogwrites driver, and the disks that a power cut can leave behind.

The format is that of Linux' dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): a super block in
the first sector, then entries, each a header sector followed by the data. QEMU appends an entry when the write or the
flush is done and before the guest hears of it. So whatever the guest knew to be written when it asked for a flush
stands before that flush's entry.
"""

import os
import random
import struct
from dataclasses import dataclass

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SUPER = struct.Struct("<QQQI")
HEADER = struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Write:
    """One write of the guest: where on the disk, and where its bytes stand in the log. All in bytes."""

    disk: int
    data: int
    length: int


@dataclass(frozen=True)
class Segment:
    """The writes since the flush before, and the position in the log at which the flush that ends them is recorded."""

    writes: tuple
    end: int


class WriteLog:
    """A log that is read, cut into segments by its flushes. Writes after the last flush are no segment."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.sector, self.segments = read_segments(self.file)

    def data(self, write):
        """The bytes of one write."""
        return os.pread(self.file.fileno(), write.length, write.data)

    def apply(self, segment, disk):
        """Puts a whole segment on a disk (a file descriptor)."""
        for write in segment.writes:
            os.pwrite(disk, self.data(write), write.disk)

    def apply_torn(self, segment, disk, seed):
        """Puts on a disk what a cut in the middle of this segment may leave of it: the guest came so far in its
        writes, and of those an unflushed cache kept some, in no order; of one it kept some sectors. The same seed
        leaves the same disk. Returns the words for what was done and the position in the log that was reached."""
        chance = random.Random(seed)
        reached = chance.randint(1, len(segment.writes))
        share = chance.choice((1.0, 0.9, 0.5, 0.1))
        torn = chance.randrange(reached)
        kept = 0
        for number, write in enumerate(segment.writes[:reached]):
            if number == torn:
                sectors = write.length // self.sector
                data = self.data(write)
                for sector in chance.sample(range(sectors), chance.randint(0, sectors)):
                    at = sector * self.sector
                    os.pwrite(disk, data[at : at + self.sector], write.disk + at)
            elif chance.random() < share:
                kept += 1
                os.pwrite(disk, self.data(write), write.disk)
        last = segment.writes[reached - 1]
        words = f"{kept} of {reached} writes and one torn, of {len(segment.writes)}"
        return words, last.data + last.length


def read_segments(file):
    """The sector size and the segments of a log."""
    head = file.read(SUPER.size)
    magic, version, _, sector = SUPER.unpack(head)
    if magic != MAGIC or version != 1:
        raise ValueError("this is no write log")
    size = os.fstat(file.fileno()).st_size
    segments, writes, at = [], [], sector
    # The super block's count is as of the last flush; the entries behind it are complete all the same. Only the last
    # one can be cut off.
    while at + sector <= size:
        where, sectors, flags, _ = HEADER.unpack(os.pread(file.fileno(), HEADER.size, at))
        at += sector
        if flags & (FUA | MARK) or flags & DISCARD:
            raise ValueError(f"the guest has no use for entries of kind {flags}")
        if flags & FLUSH:
            segments.append(Segment(tuple(writes), at))
            writes = []
            continue
        length = sectors * sector
        if at + length > size:
            break
        writes.append(Write(where * sector, at, length))
        at += length
    return sector, segments
