#!/usr/bin/env bash
# Writes the go.mod and go.sum of every tool module anew, after a version below was changed.
# The modules are committed: `build.sh` only ever builds what they lock.
set -euo pipefail
cd "$(dirname "$0")"

# Each version that is supported, the newest patch of it; the first is what everything runs on, the others are for
# `make test-versions`.
KUBERNETES=(v1.37.2 v1.36.3 v1.35.4 v1.34.4)

# Each tool has a module of its own: their dependency sets conflict. `tidy -e`, because a module that only
# the tests of a dependency import may be gone from the proxy: the builds do not need it.
write() { # module, module version, packages to build
  local module=$1 version=$2
  shift 2
  mkdir -p "$module"
  (
    cd "$module"
    rm -f go.mod go.sum
    go mod init "testbed/$module"
    go get -tool "${@/%/@$version}"
    go mod tidy -e
  ) >&2
}

# k8s.io/kubernetes names its staging modules as v0.0.0 and replaces them by folders of its own tree:
# outside that tree each needs a replace by its published version.
kubernetes() { # module, version, commands to build
  local module=$1 version=$2 minor=${2#v1.} upstream
  shift 2
  mkdir -p "$module"
  upstream=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  (
    cd "$module"
    rm -f go.mod go.sum
    go mod init "testbed/$module"
    sed -n 's/^\t\(k8s\.io\/[a-z-]*\) v0\.0\.0$/\1/p' "$upstream" | sort -u | while read -r staging; do
      go mod edit -replace "$staging=$staging@v0.$minor"
    done
    for command; do
      go get -tool "k8s.io/kubernetes/cmd/$command@$version"
    done
    go mod tidy
  ) >&2
}

control_plane=(kube-apiserver kube-controller-manager kube-scheduler kubectl)
kubernetes kubernetes "${KUBERNETES[0]}" "${control_plane[@]}"
for version in "${KUBERNETES[@]:1}"; do
  minor=${version#v}
  kubernetes "kubernetes-${minor%.*}" "$version" "${control_plane[@]}"
done
write etcd v3.7.3 go.etcd.io/etcd/server/v3
write helm3 v3.22.0 helm.sh/helm/v3/cmd/helm
write helm4 v4.3.1 helm.sh/helm/v4/cmd/helm
write kwok v0.8.0 sigs.k8s.io/kwok/cmd/kwok
write nats-server v2.15.2 github.com/nats-io/nats-server/v2
write nats v0.5.1 github.com/nats-io/natscli/nats
write promtool v0.313.5 github.com/prometheus/prometheus/cmd/promtool

# A node that runs containers (`build.sh node`). A module of its own, so that the control plane need not be built
# anew for what only the kubelet imports.
kubernetes kubelet "${KUBERNETES[0]}" kubelet kube-proxy
write containerd v2.4.2 github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
write runc v1.5.2 github.com/opencontainers/runc
write cni v1.9.1 github.com/containernetworking/plugins/plugins/{main/bridge,main/loopback,ipam/host-local,meta/portmap}
write coredns v1.15.0 github.com/coredns/coredns
# The web server of the tests: one that people run, stops without losing a request, and is one file.
write caddy v2.11.9 github.com/caddyserver/caddy/v2/cmd/caddy
