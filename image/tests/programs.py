"""Tests of the programs where they are to run: in the root file system of the image, with nothing else there."""
import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target")) / "image/root"
NAMES = ("roadstead-webhook", "roadstead-executor", "roadstead-certs", "kubectl-roadstead")
# As a pod has them: a short name is found by a search list.
SEARCH = "search roadstead.svc.cluster.test svc.cluster.test cluster.test\noptions ndots:5\n"
SERVER = "127.0.0.77"
DEADLINE = 10
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")


class Names:
    """A name server that knows one name, and who asked for what."""

    def __init__(self, known):
        self.known, self.asked = known, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SERVER, 53))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while (received := self.socket.recvfrom(512))[0]:
            self.socket.sendto(self.answer(received[0]), received[1])

    def close(self):
        self.socket.sendto(b"", (SERVER, 53))  # an empty question is the last
        self.thread.join(DEADLINE)
        self.socket.close()

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        name, kind, question = ".".join(labels), query[at + 2], query[12:at + 5]
        self.asked.append(name)
        known = name == self.known
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + socket.inet_aton("127.0.0.1") if known and kind == 1 else b""
        flags = b"\x81\x80" if known else b"\x81\x83"
        return query[:2] + flags + b"\x00\x01\x00" + bytes([bool(record)]) + b"\x00\x00\x00\x00" + question + record


@contextlib.contextmanager
def devices():
    """Sources of random numbers, as every container has them: two of the runtime specification's default devices."""
    (ROOT / "dev").mkdir()
    for name, minor in (("random", 8), ("urandom", 9)):
        os.mknod(ROOT / "dev" / name, stat.S_IFCHR, os.makedev(1, minor))
        (ROOT / "dev" / name).chmod(0o666)
    try:
        yield
    finally:
        shutil.rmtree(ROOT / "dev")


@contextlib.contextmanager
def asked(known):
    """A name server for as long as it is needed, and the file that says where it is."""
    names, resolver = Names(known), ROOT / "etc/resolv.conf"
    resolver.write_text(f"nameserver {SERVER}\n{SEARCH}")
    try:
        yield names
    finally:
        resolver.unlink()
        names.close()


@unittest.skipUnless(ROOT.is_dir(), "there is no image yet: make image")
@unittest.skipUnless(os.geteuid() == 0, "chroot is root's")
class Programs(unittest.TestCase):
    """Each as the user that the image names."""

    def command(self, name, *arguments):
        return [CHROOT, "--userspec=65532:65532", ROOT, f"/{name}", *arguments]

    def test_each_starts_where_nothing_else_is(self):
        for name in NAMES:
            with self.subTest(name):
                flag = "version" if name.startswith("kubectl") else "--version"
                done = subprocess.run(self.command(name, flag), capture_output=True, text=True, timeout=DEADLINE, env={})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r"\d+\.\d+\.\d+")

    def test_the_folder_holds_the_programs_their_lists_and_no_shell(self):
        found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not path.is_dir()}
        self.assertEqual(found, {*NAMES, "etc/passwd", "etc/group", *(f"usr/share/sbom/{name}.cdx.json" for name in NAMES)})

    def test_the_lists_name_what_is_in_the_programs(self):
        for name in NAMES:
            listed = json.loads((ROOT / f"usr/share/sbom/{name}.cdx.json").read_text())
            crates = {component["name"] for component in listed["components"]}
            self.assertEqual(listed["bomFormat"], "CycloneDX")
            self.assertLessEqual({"tokio", "rustls", "aws-lc-sys", "contract"}, crates, name)

    def test_no_path_of_the_builder_is_in_a_program(self):
        home = str(Path.home()).encode()
        for name in NAMES:
            program = (ROOT / name).read_bytes()
            for path in (home + b"/", str(ROOT.parents[2]).encode()):
                self.assertNotIn(path, program, name)

    def test_a_name_is_found_as_in_a_pod(self):
        with tempfile.TemporaryDirectory(dir=ROOT / "tmp") as folder, socket.create_server(("127.0.0.1", 0)) as server:
            inside = f"/tmp/{Path(folder).name}"
            address = f"api.roadstead:{server.getsockname()[1]}"
            os.chmod(folder, 0o777)
            server.settimeout(DEADLINE)
            subprocess.run(self.command("roadstead-certs", "tls", "--dir", f"{inside}/tls", "--dns", "api.roadstead"),
                           check=True, capture_output=True, timeout=DEADLINE, env={})
            Path(folder, "kubeconfig").write_text(json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "it", "users": [{"name": "it", "user": {}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "clusters": [{"name": "it", "cluster": {"server": f"https://{address}",
                                                        "certificate-authority": f"{inside}/tls/ca.crt"}}]}))
            for name, arguments in (("roadstead-executor", ("--nats-url", f"nats://{address}", "--nats-allow-anonymous=true",
                                                            "--admin-listen=127.0.0.1:0")),
                                    ("kubectl-roadstead", ("get",))):
                with self.subTest(name), devices(), asked("api.roadstead.svc.cluster.test") as names, \
                        subprocess.Popen(self.command(name, *arguments), env={"KUBECONFIG": f"{inside}/kubeconfig"},
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
                    try:
                        server.accept()[0].close()
                    except TimeoutError:
                        program.kill()
                        self.fail(f"it did not connect; it asked for {names.asked}, and said {program.communicate()[1]}")
                    finally:
                        program.kill()
