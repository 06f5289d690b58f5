#!/usr/bin/env bash
# Builds the image without a container engine: the four programs, static, and nothing else but the list of what each is
# made of. The same commit gives the same bytes, wherever it is built.
#
# Writes into the folder `image` of where cargo builds: `roadstead.tar` (an OCI archive), `root` (what is in it), `sbom`.
# Prints the figures and the digest.
#
#   CARGO_TARGET_DIR   where cargo builds (default: target)
#   REVISION           the commit that the image names (default: what git says)
#   ROADSTEAD_CACHE    where built tools are kept (default: ~/.cache/roadstead)
set -euo pipefail
cd "$(dirname "$0")/.."

AUDITABLE=0.7.7 # writes the list of crates into each program, where scanners look for it
CYCLONEDX=0.1.0 # reads it from there: the list is of what was built, not of what was meant
programs=(roadstead-webhook roadstead-executor roadstead-certs kubectl-roadstead)

case $(uname -m) in
  x86_64) architecture=amd64 target=x86_64-unknown-linux-gnu ;;
  aarch64)
    architecture=arm64 target=aarch64-unknown-linux-gnu
    export JEMALLOC_SYS_WITH_LG_PAGE=16 # serves kernels with pages of 4 to 64 KiB; it would only take the builder's
    ;;
  *) echo "image/build.sh: no image is made for $(uname -m)" >&2 && exit 1 ;;
esac

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
if [ -z "${REVISION:-}" ] && REVISION=$(git rev-parse HEAD 2>/dev/null); then
  [ -z "$(git status --porcelain)" ] || REVISION+=-dirty
fi
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$built/image
tools=${ROADSTEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/roadstead}/image-tools

tool() { # crate, version
  [ -x "$tools/$1-$2/bin/$1" ] || cargo install --quiet --locked --root "$tools/$1-$2" "$1@$2" >&2
  PATH=$tools/$1-$2/bin:$PATH
}

tool cargo-auditable "$AUDITABLE"
tool auditable2cdx "$CYCLONEDX"
cargo fetch --quiet --locked --target "$target"

# No path of this machine may be in the programs: not of a panic, not of an assertion in C.
flags=() c_flags=()
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  flags+=("--remap-path-prefix=$registry=/registry")
  c_flags+=("-ffile-prefix-map=$registry=/registry")
done
flags+=("--remap-path-prefix=$PWD=/roadstead" "--remap-path-prefix=$built=/target") # the last one that fits is taken
c_flags+=("-ffile-prefix-map=$built=/target")
# The C library is linked in. This one finds names by files and DNS alone, and picks the processor's fastest copies and
# comparisons of memory; musl's make a review cost almost twice as much (docs/image.md).
flags+=(-Ctarget-feature=+crt-static -Clink-arg=-Wl,-z,pack-relative-relocs)
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo -n "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS CFLAGS_"${target//-/_}"="${c_flags[*]}"
cargo auditable build --quiet --locked --profile dist --target "$target" --target-dir "$built" \
  -p webhook -p executor -p certs -p cli --bins >&2

mkdir -p "$out/sbom"
files=()
for program in "${programs[@]}"; do
  auditable2cdx "$built/$target/dist/$program" >"$out/sbom/$program.cdx.json"
  files+=(--file "$built/$target/dist/$program:/$program" --file "$out/sbom/$program.cdx.json:/usr/share/sbom/$program.cdx.json:644")
done
labels=(
  "org.opencontainers.image.title=Roadstead"
  "org.opencontainers.image.description=Lets changes of Kubernetes Deployments wait for their turn"
  "org.opencontainers.image.licenses=Apache-2.0"
  "org.opencontainers.image.version=$version"
)
[ -z "${REVISION:-}" ] || labels+=("org.opencontainers.image.revision=$REVISION")
named=()
for label in "${labels[@]}"; do named+=(--label "$label" --annotation "$label"); done
digest=$(image/oci.py --out "$out/roadstead.tar" --name "docker.io/roadstead/roadstead:$version" \
  --root "$out/root" --architecture "$architecture" "${files[@]}" "${named[@]}")
echo "figure size_mib $(du -sb "$out/root" | awk '{printf "%.1f", $1 / 1048576}') MiB"
echo "figure archive_mib $(stat -c %s "$out/roadstead.tar" | awk '{printf "%.1f", $1 / 1048576}') MiB"
echo "digest $digest"
