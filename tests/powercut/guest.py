"""The machine whose power is cut: Debian's cloud kernel, an initial RAM disk with busybox and our binary, and a data
disk whose every write and flush QEMU logs."""

import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import time

KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = {"": ("virtio_pci", "virtio_blk", "virtio_net"), "ext4": (), "xfs": ("xfs",)}
BOOT_SECONDS = 180

# Plain mounts: barriers are on, the journal's options are the defaults. The guest has no other disk.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in {modules}; do insmod /modules/$module.ko || echo "guest: no module $module"; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 up
mount -t {filesystem} /dev/vda /data || echo "guest: no data disk"
echo "guest: $(uname -r), $(grep /data /proc/mounts)"
/msr-lite --config /config.toml --data-dir /data/registry serve --listen 0.0.0.0:8443 --http 0.0.0.0:5000 \\
  --fqdn registry.lab --admin-password-file /password
echo "guest: the registry ended ($?)"
poweroff -f
"""


def fetch_kernel(place):
    """Unpacks Debian's cloud kernel here and returns the paths of the kernel and of its modules. It is installed
    nowhere."""
    root = os.path.join(place, "kernel")
    if not glob.glob(f"{root}/boot/vmlinuz-*"):
        os.makedirs(root, exist_ok=True)
        words = subprocess.run(["apt-cache", "depends", KERNEL_PACKAGE], check=True, capture_output=True, text=True)
        package = re.search(r"Depends: (linux-image-\S+)", words.stdout)[1]
        subprocess.run(["apt-get", "download", "-q", package], cwd=root, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        (archive,) = glob.glob(f"{root}/{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
        os.remove(archive)
    (kernel,) = glob.glob(f"{root}/boot/vmlinuz-*")
    (modules,) = glob.glob(f"{root}/lib/modules/*")
    return kernel, modules


def in_order(modules, names):
    """The files of these modules and of what they depend on, each after what it needs."""
    order = {}

    def visit(name):
        file = glob.glob(f"{modules}/**/{name.replace('_', '[-_]')}.ko", recursive=True)
        if not file or name in order:
            return
        with open(file[0], "rb") as module:
            depends = re.search(rb"\0depends=([^\0]*)\0", module.read())
        for other in depends[1].decode().split(",") if depends else ():
            visit(other)
        order[name] = file[0]

    for name in names:
        visit(name)
    return order


def build_initrd(place, modules, filesystem, binary, config, password):
    """Packs the initial RAM disk."""
    root = os.path.join(place, "initrd")
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("bin", "dev", "proc", "sys", "data", "modules", "tmp"):
        os.makedirs(os.path.join(root, directory))
    order = in_order(modules, MODULES[""] + MODULES[filesystem])
    for name, file in order.items():
        shutil.copy(file, f"{root}/modules/{name}.ko")
    shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
    shutil.copy(binary, f"{root}/msr-lite")
    shutil.copy(config, f"{root}/config.toml")
    with open(f"{root}/password", "w", encoding="ascii") as file:
        file.write(password)
    with open(f"{root}/init", "w", encoding="ascii") as file:
        file.write(INIT.format(modules=" ".join(order), filesystem=filesystem))
    os.chmod(f"{root}/init", 0o755)
    archive = os.path.join(place, "initrd.cpio")
    subprocess.run(f"find . | cpio -o -H newc --quiet > {archive}", shell=True, cwd=root, check=True)
    return archive


def make_disk(path, filesystem, mib):
    """A fresh filesystem in a sparse file. Nothing of it is left to be initialised later by the guest."""
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    lazy = ["-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"]
    words = ["mkfs.ext4", "-q", "-F", *lazy, path] if filesystem == "ext4" else ["mkfs.xfs", "-q", "-f", "-K", path]
    subprocess.run(words, check=True)


@contextlib.contextmanager
def running(kernel, initrd, disk, log, port, console, accel):
    """Runs the machine; its registry answers on this port of 127.0.0.1. Ends with the machine switched off."""
    open(log, "wb").close()
    # The disk says that it has a volatile cache, so the guest flushes it. It takes no discards and no "write zeroes"
    # (QEMU before 9.0 can spoil the log with those). Flushes of the files here would only cost time: the log says all.
    words = ["qemu-system-x86_64", "-accel", accel, "-smp", "2", "-m", "768", "-nodefaults", "-display", "none"]
    words += ["-cpu", "host" if accel.startswith("kvm") else "max", "-no-reboot", "-serial", f"file:{console}"]
    words += ["-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet"]
    words += ["-blockdev", f"driver=blklogwrites,node-name=disk,log-sector-size=512"
              f",file.driver=file,file.filename={disk},file.cache.no-flush=on"
              f",log.driver=file,log.filename={log},log.cache.no-flush=on"]
    words += ["-device", "virtio-blk-pci,drive=disk,write-cache=on,discard=off,write-zeroes=off"]
    words += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:5000"]
    words += ["-device", "virtio-net-pci,netdev=net,romfile="]
    machine = subprocess.Popen(words)
    try:
        yield machine
    finally:
        machine.send_signal(signal.SIGTERM)
        try:
            machine.wait(30)
        except subprocess.TimeoutExpired:
            machine.kill()
            machine.wait()


def await_registry(machine, answers, console):
    """Waits until the registry in the guest answers."""
    begin = time.monotonic()
    while not answers():
        if machine.poll() is not None or time.monotonic() > begin + BOOT_SECONDS:
            with open(console, encoding="utf-8", errors="replace") as file:
                raise SystemExit(f"the guest does not come up:\n{file.read()[-3000:]}")
        time.sleep(0.2)
    return time.monotonic() - begin
