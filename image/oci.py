#!/usr/bin/env python3
"""Assembles an image of one layer, from nothing, as an OCI archive: `ctr images import` and `skopeo copy` read it.

    image/oci.py --out web.tar --name example.test/web:1 --file web:/web --entrypoint /web

The same input gives the same bytes: no clock, no owner, no order of a directory goes into it. Needs no container
engine. Prints the digest of the image's manifest. https://github.com/opencontainers/image-spec
"""
import argparse
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

# Whom the image runs as unless told otherwise: a number, because Kubernetes cannot tell that a name is not root's.
USER = "65532:65532"
OCI = "application/vnd.oci.image"


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path, help="the archive")
    parser.add_argument("--name", required=True, help="reference, such as registry.example/roadstead:1.0")
    parser.add_argument("--file", action="append", default=[], metavar="SOURCE:/TARGET[:MODE]", help="mode in octal, 755 if not said")
    parser.add_argument("--entrypoint", action="append", default=[], help="once for each word")
    parser.add_argument("--user", default=USER)
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--annotation", action="append", default=[], metavar="KEY=VALUE", help="of the manifest")
    parser.add_argument("--architecture", default="amd64")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="write what is in the image there as well, anew")
    return parser.parse_args()


def add(archive, name, data=b"", mode=0o644, kind=tarfile.REGTYPE):
    """Adds one entry that says nothing of who made it and when."""
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size = mode, kind, len(data)
    archive.addfile(entry, io.BytesIO(data))


def layer(files):
    """The root file system as a tar: what is asked for, and the folders and users that programs expect."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entries = {"etc/passwd": (b"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n", 0o644),
                   "etc/group": (b"root:x:0:\nnonroot:x:65532:\n", 0o644)}
        for text in files:
            source, target, *mode = text.split(":")
            entries[target.lstrip("/")] = (Path(source).read_bytes(), int(mode[0], 8) if mode else 0o755)
        folders = {str(parent) for name in entries for parent in Path(name).parents} - {"."}
        for folder in sorted(folders | {"tmp"}):
            add(archive, folder, mode=0o1777 if folder == "tmp" else 0o755, kind=tarfile.DIRTYPE)
        for name, (data, mode) in sorted(entries.items()):
            add(archive, name, data, mode)
    return out.getvalue()


def unpack(tar, folder):
    """Writes the root file system into a folder in place of what was there."""
    if folder.exists():
        shutil.rmtree(folder)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        archive.extractall(folder, filter="fully_trusted")


def pairs(texts):
    """`KEY=VALUE` texts as a dictionary."""
    return dict(text.split("=", 1) for text in texts)


def descriptor(kind, data, **more):
    """How one blob refers to another."""
    return {"mediaType": f"{OCI}.{kind}", "digest": digest(data), "size": len(data), **more}


def digest(data):
    """The name of a blob."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def document(**fields):
    """A JSON document as bytes."""
    return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode()


def main():
    """Writes the archive."""
    given = arguments()
    platform = {"architecture": given.architecture, "os": "linux"}
    tar = layer(given.file)
    if given.root:
        unpack(tar, given.root)
    packed = gzip.compress(tar, mtime=0)
    config = document(**platform, rootfs={"type": "layers", "diff_ids": [digest(tar)]}, config={
        "Entrypoint": given.entrypoint, "User": given.user, "Env": ["PATH=/"], "WorkingDir": "/", "Labels": pairs(given.label)})
    manifest = document(schemaVersion=2, mediaType=f"{OCI}.manifest.v1+json", annotations=pairs(given.annotation),
                        config=descriptor("config.v1+json", config), layers=[descriptor("layer.v1.tar+gzip", packed)])
    names = {"io.containerd.image.name": given.name, "org.opencontainers.image.ref.name": given.name.rsplit(":", 1)[-1]}
    index = document(schemaVersion=2, mediaType=f"{OCI}.index.v1+json",
                     manifests=[descriptor("manifest.v1+json", manifest, platform=platform, annotations=names)])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(given.out, "w", format=tarfile.USTAR_FORMAT) as archive:
        add(archive, "oci-layout", document(imageLayoutVersion="1.0.0"))
        add(archive, "index.json", index)
        for blob in sorted((packed, config, manifest), key=digest):
            add(archive, "blobs/sha256/" + digest(blob).removeprefix("sha256:"), blob)
    print(digest(manifest))


if __name__ == "__main__":
    main()
