#!/usr/bin/env python3
"""Tests of what makes the image: the same bytes, the right owner, two definitions that agree. Started by run.sh."""
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from programs import Programs  # noqa: F401 (found by unittest)

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = (REPOSITORY / "image/build.sh").read_text()
CONTAINERFILE = (REPOSITORY / "Containerfile").read_text()
LABEL = r'org\.opencontainers\.image\.(\w+)="?([^"]*)"'


class Image:
    """An archive that was made of two small files."""

    def __init__(self, folder, *arguments):
        program, text = folder / "program", folder / "text"
        program.write_text("#!/program")
        text.write_text("words")
        self.path = folder / "image.tar"
        self.digest = subprocess.run(
            [REPOSITORY / "image/oci.py", "--out", self.path, "--name", "example.test/web:1", "--file", f"{program}:/program",
             "--file", f"{text}:/usr/share/text:644", *arguments], check=True, capture_output=True, text=True).stdout.strip()
        with tarfile.open(self.path) as archive:
            self.blobs = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}

    def json(self, name):
        """A document of the archive, by its path or its digest."""
        return json.loads(self.blobs[name.replace("sha256:", "blobs/sha256/")])

    @property
    def manifest(self):
        return self.json(self.digest)

    @property
    def config(self):
        return self.json(self.manifest["config"]["digest"])["config"]


class Assembly(unittest.TestCase):
    """What oci.py promises."""

    def setUp(self):
        self.folders = [Path(self.enterContext(tempfile.TemporaryDirectory())) for _ in range(2)]
        self.folder = self.folders[0]

    def test_the_same_files_give_the_same_bytes_wherever_they_are(self):
        images = [Image(folder, "--label", "a=b") for folder in self.folders]
        self.assertEqual(*(image.digest for image in images))
        self.assertEqual(*(image.path.read_bytes() for image in images))

    def test_another_byte_gives_another_digest(self):
        self.assertNotEqual(Image(self.folder).digest, Image(self.folder, "--label", "a=b").digest)

    def test_it_runs_as_a_number_that_is_not_root(self):
        self.assertEqual(Image(self.folder).config["User"], "65532:65532")

    def test_labels_are_of_the_configuration_and_annotations_of_the_manifest(self):
        image = Image(self.folder, "--label", "a=b=c", "--annotation", "d=e")
        self.assertEqual((image.config["Labels"], image.manifest["annotations"]), ({"a": "b=c"}, {"d": "e"}))

    def test_the_index_names_the_image_and_its_platform(self):
        entry, = Image(self.folder, "--architecture", "arm64").json("index.json")["manifests"]
        self.assertEqual(entry["platform"], {"architecture": "arm64", "os": "linux"})
        self.assertEqual(entry["annotations"]["io.containerd.image.name"], "example.test/web:1")

    def test_files_are_roots_and_written_by_nobody_else(self):
        root = self.folder / "root"
        image = Image(self.folder, "--root", root)
        layer = self.folder / "layer.tar.gz"
        layer.write_bytes(image.blobs[image.manifest["layers"][0]["digest"].replace("sha256:", "blobs/sha256/")])
        with tarfile.open(layer) as archive:
            members = {m.name: m for m in archive.getmembers()}
        modes = {name: oct(m.mode) for name, m in members.items() if name != "tmp"}
        self.assertEqual(modes, {"program": "0o755", "usr": "0o755", "usr/share": "0o755", "usr/share/text": "0o644", "etc": "0o755",
                                 "etc/passwd": "0o644", "etc/group": "0o644"})
        self.assertEqual({(m.uid, m.gid, m.mtime) for m in members.values()}, {(0, 0, 0)})
        found = {str(path.relative_to(root)): oct(path.stat().st_mode & 0o7777) for path in root.rglob("*")}
        self.assertEqual(found, {**modes, "tmp": "0o1777"}, "the folder is what the layer is")


class Definitions(unittest.TestCase):
    """The Containerfile, which cannot be run without a container engine, next to build.sh."""

    def test_both_hold_the_same_files_for_the_same_user(self):
        self.assertIn("COPY --from=build /source/target/image/root/ /\n", CONTAINERFILE)
        self.assertIn('--root "$out/root"', BUILD)
        self.assertEqual(re.findall(r"^USER (.*)$", CONTAINERFILE, re.M), ["65532:65532"])

    def test_both_carry_the_same_labels(self):
        version = re.search(r'^version = "(.*)"$', (REPOSITORY / "Cargo.toml").read_text(), re.M).group(1)
        self.assertIn(f"\nARG VERSION={version}\n", CONTAINERFILE)
        of_build = dict(re.findall(LABEL, BUILD))
        of_file = dict(re.findall(LABEL, CONTAINERFILE))
        self.assertEqual(set(of_build), {"title", "description", "licenses", "version", "revision"})
        self.assertEqual(set(of_file), set(of_build))
        for name in ("title", "description", "licenses"):
            self.assertEqual(of_file[name], of_build[name])

    def test_the_builder_is_the_pinned_toolchain(self):
        channel = re.search(r'^channel = "(.*)"$', (REPOSITORY / "rust-toolchain.toml").read_text(), re.M).group(1)
        self.assertIn(f"/rust:{channel}-slim", CONTAINERFILE)

    def test_what_is_built_stays_out_of_the_build_context(self):
        ignored = (REPOSITORY / ".dockerignore").read_text().split()
        self.assertLessEqual({line.strip() for line in (REPOSITORY / ".gitignore").read_text().split()} - {"/fuzz/artifacts"}, set(ignored))


def main():
    """Runs the tests and prints the closing line that CI reads."""
    program = unittest.main(exit=False)
    result = program.result
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    broken = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print(f"{result.testsRun - len(broken) - len(result.skipped)} passed, {len(broken)} failed, {len(result.skipped)} skipped", flush=True)
    sys.exit(1 if broken or not result.testsRun else 0)


if __name__ == "__main__":
    main()
