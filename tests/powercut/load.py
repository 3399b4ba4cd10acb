"""A load on the registry in the guest, and the record of what it acknowledged.

Each worker has repositories of its own and waits for every answer. It pushes images (blobs in one request, in two, in
chunks, mounted, pushed before), indexes over them and tags, moves tags, and deletes what is oldest, so that what lives
stays small and a check of every cut can read all of it.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import threading
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
# Images that a worker keeps; more are deleted, the oldest first.
KEPT = 10
# Bytes of a layer and how often: most in the metadata store (to 16 KiB), some in files, few of them large.
SIZES = ((50, 1, 16_384), (38, 16_385, 200_000), (12, 200_000, 2_500_000))
TIMEOUT = 60


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Record:
    """Writes down what was asked and answered, with the length of the write log at both moments."""

    def __init__(self, path, log):
        self.file = open(path, "w", encoding="ascii")
        self.log, self.lock, self.entries, self.strange = log, threading.Lock(), 0, []

    def position(self):
        return os.stat(self.log).st_size

    def add(self, **entry):
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")
            self.entries += 1

    def surprise(self, words):
        """An answer that the load did not expect. A registry under load gives none."""
        with self.lock:
            self.strange.append(words)


class Registry:
    """One connection, signed in."""

    def __init__(self, port, password):
        self.port, self.connection = port, None
        self.basic = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body of the answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self.connection.request(method, path, body, {"Authorization": self.basic, **headers})
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise


class Stopped(Exception):
    """The guest is gone, or the time is over."""


class Worker(threading.Thread):
    """One client."""

    def __init__(self, number, port, password, record, deadline, pause, seed):
        super().__init__(name=f"worker {number}")
        self.registry, self.record = Registry(port, password), record
        self.deadline, self.pause = deadline, pause
        self.chance = random.Random(f"{seed}/{number}")
        self.repos = [f"worker{number}/one", f"worker{number}/two"]
        # Per image, oldest first: repository, digest, tags, parts. Per repository: blobs that it was given.
        self.images, self.blobs, self.tag_number = [], {repo: {} for repo in self.repos}, 0

    def run(self):
        try:
            while time.monotonic() < self.deadline:
                time.sleep(self.chance.uniform(0, self.pause))
                if len(self.images) > KEPT:
                    self.delete_oldest()
                else:
                    self.chance.choices(
                        (self.push_image, self.push_index, self.move_tag, self.delete_tag, self.orphan_blob),
                        (70, 8, 8, 7, 7),
                    )[0]()
        except Stopped:
            pass

    # Requests.

    def change(self, method, path, want, effects, body=None, manifests=None, **headers):
        """A request that changes something; recorded, whatever comes of it. True if it was acknowledged."""
        entry = {"sent": self.record.position(), "sent_at": time.monotonic(), "effects": effects}
        if manifests:
            entry["manifests"] = manifests
        try:
            status, _, answer = self.registry.ask(method, path, body, **headers)
        except (OSError, http.client.HTTPException) as error:
            self.record.add(**entry, done=None, done_at=None)
            if time.monotonic() < self.deadline:
                self.record.surprise(f"{method} {path}: {error!r}")
            raise Stopped from error
        if status == want:
            self.record.add(**entry, done=self.record.position(), done_at=time.monotonic())
            return True
        self.record.surprise(f"{method} {path}: {status} {answer[:200]!r}")
        if status >= 500:
            self.record.add(**entry, done=None, done_at=None)
        return False

    def plain(self, method, path, body=None, **headers):
        """A request that promises nothing."""
        try:
            return self.registry.ask(method, path, body, **headers)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() < self.deadline:
                self.record.surprise(f"{method} {path}: {error!r}")
            raise Stopped from error

    # Blobs.

    def push_blob(self, repo, data, media_type):
        """Pushes a blob in one of the three ways; its descriptor."""
        digest, binary = sha256(data), {"Content_Type": "application/octet-stream"}
        effects = [("blob", repo, digest, digest)]
        way = self.chance.random()
        if way < 0.4:
            path = f"/v2/{repo}/blobs/uploads/?digest={digest}"
            self.change("POST", path, 201, effects, data, **binary)
        else:
            status, headers, _ = self.plain("POST", f"/v2/{repo}/blobs/uploads/", b"")
            if status != 202:
                self.record.surprise(f"POST {repo}: {status}")
                raise Stopped
            place, last = headers["Location"], data
            if way > 0.7 and len(data) > 1:
                cuts = sorted({0, *(self.chance.randrange(1, len(data)) for _ in range(self.chance.randint(1, 3)))})
                for start, end in zip(cuts, cuts[1:]):
                    span = {"Content_Range": f"{start}-{end - 1}", **binary}
                    place = self.plain("PATCH", place, data[start:end], **span)[1]["Location"] or place
                last = data[cuts[-1] :]
            joint = "&" if "?" in place else "?"
            self.change("PUT", f"{place}{joint}digest={digest}", 201, effects, last, **binary)
        self.blobs[repo][digest] = len(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def layer(self, repo):
        """A layer of an image: new, mounted from the other repository, or one that is there already."""
        way = self.chance.random()
        other = self.repos[1 - self.repos.index(repo)]
        if way < 0.15 and self.blobs[other]:
            digest, size = self.chance.choice(list(self.blobs[other].items()))
            path = f"/v2/{repo}/blobs/uploads/?mount={digest}&from={other}"
            if self.head_blob(other, digest):
                self.change("POST", path, 201, [("blob", repo, digest, digest)], b"")
                self.blobs[repo][digest] = size
                return {"mediaType": LAYER, "digest": digest, "size": size}
        elif way < 0.3 and self.blobs[repo]:
            digest, size = self.chance.choice(list(self.blobs[repo].items()))
            if self.head_blob(repo, digest):
                return {"mediaType": LAYER, "digest": digest, "size": size}
        (_, least, most) = self.chance.choices(SIZES, [share for share, _, _ in SIZES])[0]
        return self.push_blob(repo, self.chance.randbytes(self.chance.randint(least, most)), LAYER)

    def head_blob(self, repo, digest):
        """Whether a blob is there, as a client asks before it refers to one. What was collected is forgotten."""
        there = self.plain("HEAD", f"/v2/{repo}/blobs/{digest}")[0] == 200
        if not there:
            del self.blobs[repo][digest]
        return there

    def orphan_blob(self):
        """A blob for which no manifest comes."""
        self.push_blob(self.chance.choice(self.repos), self.chance.randbytes(self.chance.randint(1, 60_000)), LAYER)

    # Manifests and tags.

    def put_manifest(self, repo, tags, manifest):
        body = json.dumps(manifest).encode()
        digest = sha256(body)
        parts = [part["digest"] for part in manifest.get("layers", []) + manifest.get("manifests", [])]
        parts += [manifest["config"]["digest"]] if "config" in manifest else []
        reference, query = tags[0], "".join(f"&tag={tag}" for tag in tags[1:])
        if len(tags) > 1:
            reference, query = digest, "?" + "&".join(f"tag={tag}" for tag in tags)
        effects = [("manifest", repo, digest, digest), *(("tag", repo, tag, digest) for tag in tags)]
        path, kind = f"/v2/{repo}/manifests/{reference}{query}", {"Content_Type": manifest["mediaType"]}
        if not self.change("PUT", path, 201, effects, body, {digest: parts}, **kind):
            return
        for image in self.images:
            image["tags"] -= set(tags) if image["repo"] == repo else set()
        image = {"repo": repo, "digest": digest, "tags": set(tags), "size": len(body), "parts": parts}
        self.images.append({**image, "type": manifest["mediaType"]})

    def new_tag(self):
        self.tag_number += 1
        return f"v{self.tag_number}"

    def tags_for(self, repo):
        """New tags, or one that an image of this repository bears."""
        borne = sorted(tag for image in self.images if image["repo"] == repo for tag in image["tags"])
        if borne and self.chance.random() < 0.25:
            return [self.chance.choice(borne)]
        return [self.new_tag() for _ in range(self.chance.choice((1, 1, 1, 2)))]

    def push_image(self):
        repo = self.chance.choice(self.repos)
        config = {"architecture": "amd64", "os": "linux", "random": self.chance.getrandbits(64)}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.push_blob(repo, json.dumps(config).encode(), CONFIG),
            "layers": [self.layer(repo) for _ in range(self.chance.randint(1, 3))],
        }
        living = [image for image in self.images if image["repo"] == repo]
        if living and self.chance.random() < 0.1:
            image = self.chance.choice(living)
            manifest["subject"] = {"mediaType": image["type"], "digest": image["digest"], "size": image["size"]}
        self.put_manifest(repo, self.tags_for(repo), manifest)

    def push_index(self):
        repo = self.chance.choice(self.repos)
        images = [image for image in self.images if image["repo"] == repo and image["type"] == MANIFEST]
        parts = [
            {"mediaType": image["type"], "digest": image["digest"], "size": image["size"]}
            for image in self.chance.sample(images, min(2, len(images)))
        ]
        if parts:
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}
            index["annotations"] = {"random": str(self.chance.getrandbits(64))}
            self.put_manifest(repo, self.tags_for(repo), index)

    def move_tag(self):
        """Pushes a manifest again, under a tag that another may bear."""
        if not self.images:
            return
        image = self.chance.choice(self.images)
        repo, digest = image["repo"], image["digest"]
        status, headers, body = self.plain("GET", f"/v2/{repo}/manifests/{digest}", Accept=f"{MANIFEST}, {INDEX}")
        if status != 200 or sha256(body) != digest:
            self.record.surprise(f"GET {repo} {digest}: {status}")
            return
        tag = self.tags_for(repo)[0]
        effects = [("manifest", repo, digest, digest), ("tag", repo, tag, digest)]
        path, kind = f"/v2/{repo}/manifests/{tag}", {"Content_Type": headers["Content-Type"]}
        if self.change("PUT", path, 201, effects, body, {digest: image["parts"]}, **kind):
            for other in self.images:
                other["tags"] -= {tag} if other["repo"] == repo else set()
            image["tags"].add(tag)

    def delete_tag(self):
        tagged = [image for image in self.images if image["tags"]]
        if not tagged:
            return
        image = self.chance.choice(tagged)
        repo, tag = image["repo"], self.chance.choice(sorted(image["tags"]))
        if self.change("DELETE", f"/v2/{repo}/manifests/{tag}", 202, [("tag", repo, tag, None)]):
            image["tags"].discard(tag)

    def delete_oldest(self):
        """Deletes the oldest image that no index holds, with its tags, and sometimes a blob that nothing needs then."""
        held = {(image["repo"], part) for image in self.images for part in image["parts"]}
        image = next(image for image in self.images if (image["repo"], image["digest"]) not in held)
        repo, digest = image["repo"], image["digest"]
        effects = [("manifest", repo, digest, None), *(("tag", repo, tag, None) for tag in sorted(image["tags"]))]
        self.change("DELETE", f"/v2/{repo}/manifests/{digest}", 202, effects)
        self.images.remove(image)
        needed = {part for other in self.images if other["repo"] == repo for part in other["parts"]}
        for part in image["parts"]:
            if part in self.blobs[repo] and part not in needed and self.chance.random() < 0.7:
                del self.blobs[repo][part]
                if self.plain("HEAD", f"/v2/{repo}/blobs/{part}")[0] == 200 and self.chance.random() < 0.4:
                    self.change("DELETE", f"/v2/{repo}/blobs/{part}", 202, [("blob", repo, part, None)])


def run(port, password, record, seconds, workers, pause, seed):
    """The load: first a quarter of the time with one client, so that each answer stands alone between two flushes,
    then with all."""
    start = time.monotonic()
    alone = Worker(0, port, password, record, start + seconds / 4, pause, seed)
    alone.start()
    alone.join()
    end = start + seconds
    crowd = [Worker(number, port, password, record, end, pause, seed) for number in range(1, workers + 1)]
    for worker in crowd:
        worker.start()
    for worker in crowd:
        worker.join()
    record.file.flush()
