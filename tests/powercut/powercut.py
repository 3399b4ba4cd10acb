"""A power cut, for real: a load on a machine whose disk's writes and flushes are logged, then the log cut at every
flush, and each disk that comes of it checked. docs/reliability-powercut.md says what that shows.

    tests/powercut/powercut --fs ext4 --seconds 60       # record and check
    tests/powercut/powercut --fs ext4 --check-only       # check what is recorded, e.g. with another --seed
    tests/powercut/powercut --fs ext4 --check-only --lying   # the check of the check: must find losses
"""

import argparse
import collections
import functools
import glob
import http.client
import json
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import time

import check
import guest
import load
from expect import History
from writelog import WriteLog

PORT = 19999
KEPT_FAILURES = 20


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fs", choices=("ext4", "xfs"), default="ext4", help="the data disk's filesystem")
    parser.add_argument("--seconds", type=int, default=60, help="how long the load runs")
    parser.add_argument("--workers", type=int, default=4, help="clients at once")
    parser.add_argument("--pause", type=float, default=0.7, help="seconds that a client waits before each action, at most")
    parser.add_argument("--seed", default=None, help="of the load and of the torn cuts; random, and printed")
    parser.add_argument("--binary", default="dist/msr-lite", help="the static binary")
    parser.add_argument("--work", default="target/powercut", help="where the disk, the log and the record are kept")
    parser.add_argument("--config", default=None, help="a configuration file instead of the one that comes with this")
    parser.add_argument("--lease", type=int, default=20, help="gc.lease_seconds in that file")
    parser.add_argument("--accel", default="tcg,thread=multi", help="QEMU's accelerator")
    parser.add_argument("--disk-mib", type=int, default=4096, help="size of the data disk (sparse)")
    parser.add_argument("--pool-mib", type=int, default=6144, help="memory that the disks under check may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="checks at once")
    parser.add_argument("--every", type=int, default=1, help="check every n-th flush only")
    parser.add_argument("--old", type=float, default=0.2, help="share of what is long done that each cut is asked for")
    parser.add_argument("--only", type=int, default=None, help="check the cut after this flush only")
    parser.add_argument("--no-torn", dest="torn", action="store_false", help="no cuts between the flushes")
    parser.add_argument("--check-only", action="store_true", help="check what is recorded")
    parser.add_argument("--lying", action="store_true", help="cut a disk that did not flush what it said: must fail")
    chosen = parser.parse_args()
    chosen.seed = chosen.seed or secrets.token_hex(4)
    here = os.path.dirname(os.path.realpath(__file__))
    chosen.config = chosen.config or os.path.join(here, "config.toml")
    chosen.place = os.path.realpath(os.path.join(chosen.work, chosen.fs))
    chosen.binary = os.path.realpath(chosen.binary)
    return chosen


def answers():
    """Whether the registry in the guest answers."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 401
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def record(chosen):
    """Runs the machine under load. Leaves the empty disk, the log and the record."""
    place, password = chosen.place, secrets.token_hex(12)
    os.makedirs(place, exist_ok=True)
    kernel, modules = guest.fetch_kernel(os.path.realpath(chosen.work))
    initrd = guest.build_initrd(place, modules, chosen.fs, chosen.binary, chosen.config, password)
    guest.make_disk(f"{place}/base.img", chosen.fs, chosen.disk_mib)
    subprocess.run(["cp", "--sparse=always", f"{place}/base.img", f"{place}/disk.img"], check=True)
    console, log = f"{place}/console.log", f"{place}/write.log"
    with guest.running(kernel, initrd, f"{place}/disk.img", log, PORT, console, chosen.accel) as machine:
        boot = guest.await_registry(machine, answers, console)
        print(f"the guest's registry answers after {boot:.0f} s; {chosen.seconds} s of load, seed {chosen.seed}", flush=True)
        notes = load.Record(f"{place}/record", log)
        load.run(PORT, password, notes, chosen.seconds, chosen.workers, chosen.pause, chosen.seed)
        alive = machine.poll() is None
    os.remove(f"{place}/disk.img")
    for words in notes.strange[:20]:
        print(f"under load: {words}")
    with open(f"{place}/run.json", "w", encoding="ascii") as file:
        json.dump({"password": password, "seed": chosen.seed, "strange": len(notes.strange)}, file)
    if not alive:
        with open(console, encoding="utf-8", errors="replace") as file:
            raise SystemExit(f"the guest ended under load:\n{file.read()[-3000:]}")
    if notes.strange:
        raise SystemExit(f"{len(notes.strange)} answers under load were not what a client may expect")


def pool(chosen):
    """A filesystem in memory on which a disk is cloned without copying it. It goes with this program's namespace."""
    memory, path = f"{chosen.place}/memory", f"{chosen.place}/pool"
    os.makedirs(memory, exist_ok=True)
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={chosen.pool_mib}m", "powercut", memory], check=True)
    with open(f"{memory}/pool.img", "wb") as file:
        file.truncate(16 * chosen.pool_mib << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", f"{memory}/pool.img"], check=True)
    subprocess.run(["mount", "-o", "loop,discard", f"{memory}/pool.img", path], check=True)
    return path


def share(log, history, chosen, place, password, queue, number, cuts):
    """One of the processes that check."""
    bench = check.Bench(place, number, chosen, password)
    log = WriteLog(log)
    try:
        check.run(bench, log, history, f"{chosen.place}/base.img", cuts, chosen, lambda *words: queue.put(words))
    except Exception as error:  # Whatever it is, the parent must hear of it.
        queue.put((-1, "", 0, 0, f"the check itself failed: {error!r}"))
    queue.put(None)


def judge(chosen):
    """Checks every cut. Returns the figures."""
    place, begin = chosen.place, time.monotonic()
    for kept in glob.glob(f"{place}/failed-*.img"):
        os.remove(kept)
    with open(f"{place}/run.json", encoding="ascii") as file:
        run = json.load(file)
    log, history = WriteLog(f"{place}/write.log"), History(f"{place}/record")
    flushes = len(log.segments)
    cuts = range(0, flushes, chosen.every) if chosen.only is None else range(chosen.only, chosen.only + 1)
    jobs = max(1, min(chosen.jobs, len(cuts)))
    shares = [cuts[len(cuts) * n // jobs : len(cuts) * (n + 1) // jobs] for n in range(jobs)]
    clones, queue = pool(chosen), multiprocessing.Queue()
    work = functools.partial(share, f"{place}/write.log", history, chosen, clones, run["password"], queue)
    for number, part in enumerate(shares):
        multiprocessing.Process(target=work, args=(number, part), daemon=True).start()
    figures, wrong = collections.Counter(), []
    slowest, left, told = 0.0, jobs, time.monotonic()
    while left:
        words = queue.get()
        if words is None:
            left -= 1
            continue
        number, torn, asked, seconds, fault = words
        figures["torn cuts" if torn else "flush cuts"] += 1
        figures["asked"] += asked
        slowest = max(slowest, seconds)
        if fault:
            wrong.append((number, torn, fault))
            if len(wrong) <= KEPT_FAILURES:
                print(f"cut after flush {number}{' (' + torn + ')' if torn else ''}: {fault}", flush=True)
        if time.monotonic() > told + 30:
            told = time.monotonic()
            print(f"… {figures['flush cuts']} of {len(cuts)} flushes, {len(wrong)} wrong", flush=True)
    return {
        "filesystem": chosen.fs,
        "seed of the load": run["seed"],
        "seed of the cuts": chosen.seed,
        "log, MiB": os.stat(f"{place}/write.log").st_size >> 20,
        "writes": sum(len(segment.writes) for segment in log.segments),
        "flushes": flushes,
        "cuts at a flush": figures["flush cuts"],
        "cuts between, torn": figures["torn cuts"],
        "acknowledged changes": history.acknowledged,
        "without an answer": history.unanswered,
        "answers compared": figures["asked"],
        "slowest start, s": round(slowest, 2),
        "seconds of checking": round(time.monotonic() - begin),
        "cuts with something wrong": len(wrong),
    }


def main():
    # The first process of a namespace ignores signals for which it has no handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = options()
    if not chosen.check_only:
        record(chosen)
    figures = judge(chosen)
    for name, value in figures.items():
        print(f"{name:28} {value}")
    with open(f"{chosen.place}/result.json", "w", encoding="ascii") as file:
        json.dump(figures, file, indent=1)
    bad = figures["cuts with something wrong"] > 0
    if chosen.lying:
        print("the disk lied, and the check " + ("found it" if bad else "did not see it"))
        bad = not bad
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
