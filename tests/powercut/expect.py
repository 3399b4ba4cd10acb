"""What must be there after a cut.

The load writes down each request that changes something: the length of the write log when it was sent and when its
answer had come, and what it makes of each thing it touches. A thing has one writer, who waits for each answer, so a
thing's history is a sequence.

- Acknowledged when the log ended at byte N: what the answer promises rests on a flush that ended at or before N. It
  must be there after that flush, and after every later cut.
- Sent when the log ended at byte N: it cannot be there in a cut that took nothing from beyond N.
- In between it may be there or not.
"""

import bisect
import json

GONE = None
# Bytes of the log after which a thing is long done.
RECENT = 2 << 20
# Seconds by which the lease is held shorter here than there, for the time between a commit and its answer.
LEASE_SLACK = 5


class History:
    """What the load did, as read from its record: one JSON object per line, written by `load.py`."""

    def __init__(self, path):
        self.steps, self.blobs, self.manifests, self.clock = {}, {}, {}, []
        self.acknowledged = self.unanswered = 0
        with open(path, encoding="ascii") as lines:
            for line in lines:
                self._take(json.loads(line))
        self.clock.sort()

    def _take(self, entry):
        for digest, parts in entry.get("manifests", {}).items():
            self.manifests[digest] = parts
        done = entry["done"]
        self.clock.append((entry["sent"], entry["sent_at"]))
        if done is None:
            self.unanswered += 1
        else:
            self.acknowledged += 1
            self.clock.append((done, entry["done_at"]))
        for kind, repo, name, value in entry["effects"]:
            step = (entry["sent"], done, entry["done_at"], value)
            self.steps.setdefault((kind, repo, name), []).append(step)

    def time_of(self, position):
        """The earliest noted time at which the log was longer than this (seconds of the load's clock)."""
        at = bisect.bisect_left(self.clock, (position, 0))
        return self.clock[at][1] if at < len(self.clock) else self.clock[-1][1] if self.clock else 0


class Expectation:
    """The values that each thing may have after one cut (`allowed`), and which things are long done (`old`).

    `next_flush`: where the first flush that the cut did not take ends. `reached`: the last byte of the log that the cut
    took anything from."""

    def __init__(self, history, next_flush, reached, lease):
        self.allowed, self.old, since = {}, set(), {}
        for key, steps in history.steps.items():
            values, touched, last = {GONE}, False, 0
            for sent, done, done_at, value in steps:
                if done is not None and done < next_flush:
                    values, touched, last = {value}, True, done
                    since[key] = done_at
                elif sent <= reached:
                    values, touched, last = values | {value}, True, sent
                else:
                    break
            if touched:
                self.allowed[key] = values
                if last < min(next_flush, reached) - RECENT:
                    self.old.add(key)
        self._release(history, since, history.time_of(next_flush), lease)

    def _release(self, history, since, now, lease):
        """A blob that no living manifest of its repository refers to may be collected once its lease has run out. (If a
        manifest that may be there is there, the check asks for its parts whatever stands here.)"""
        referred = set()
        for (kind, repo, name), values in self.allowed.items():
            if kind == "manifest" and GONE not in values:
                referred.update((repo, part) for part in history.manifests[name])
        for (kind, repo, name), values in self.allowed.items():
            if kind != "blob" or (repo, name) in referred:
                continue
            if now - since.get((kind, repo, name), now) > lease - LEASE_SLACK:
                values.add(GONE)
