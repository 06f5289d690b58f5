#!/usr/bin/env bash
# Makes the images that the node starts from, from what build.sh has built: no registry is reachable from it.
# Called by build.sh with the folder of the binaries; the images go into its folder `images`.
set -euo pipefail
cd "$(dirname "$0")"
bin=$1
mkdir -p "$bin/images"

image() { # file, name, options of image/oci.py
  local out=$bin/images/$1.tar name=$2
  shift 2
  ../../image/oci.py --out "$out.new" --name "$name" "$@" >/dev/null
  mv "$out.new" "$out"
}

image pause registry.test/pause:testbed --file "$bin/pause:/pause" --entrypoint /pause
# Listens below 1024, which containerd lets everybody do in a pod.
image coredns registry.test/coredns:testbed --file "$bin/coredns:/coredns" --entrypoint /coredns
# The name of the official image, so that the chart's default finds it.
nats=$(sed -n 's/^.*nats-server\/v2 v\([0-9.]*\).*$/\1/p' nats-server/go.mod)
image nats "docker.io/library/nats:$nats-scratch" --file "$bin/nats-server:/nats-server" --entrypoint /nats-server

# A web server in two versions that answer their name. It goes on answering for a while after it was told to stop:
# kube-proxy hears later than the pod that it is over.
for version in v1 v2; do
  cat >"$bin/images/Caddyfile" <<EOF
{
	admin off
	auto_https off
	persist_config off
	shutdown_delay 3s
	grace_period 5s
}
:8080 {
	respond "$version from {system.hostname}"
}
EOF
  image "web-$version" "registry.test/web:$version" --file "$bin/caddy:/caddy" \
    --file "$bin/images/Caddyfile:/etc/caddy/Caddyfile:644" \
    --entrypoint /caddy --entrypoint run --entrypoint=--config --entrypoint /etc/caddy/Caddyfile
done
rm "$bin/images/Caddyfile"
