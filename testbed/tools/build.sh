#!/usr/bin/env bash
# Builds the real parts of the testbed from the locked Go modules beside this script and prints, last,
# the folder that holds them. Built tools are kept outside the checkout, one folder a module, named by a
# hash of what determines them: a second run finds them, a changed module builds anew.
#
#   build.sh             the control plane, NATS, Helm
#   build.sh node        these, and what a node with running containers needs, with the images it starts from
#   build.sh packages    nothing: only installs the packages of Debian that such a node needs
#
#   ROADSTEAD_CACHE      where built tools are kept (default: ~/.cache/roadstead)
#   ROADSTEAD_KUBERNETES another supported version of Kubernetes, such as 1.34
#   KUBEBUILDER_ASSETS   a folder whose binaries are used instead of building those of the same name
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")"

cache=${ROADSTEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/roadstead}/tools
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false" GOWORK=off

version_of() { # module
  sed -n 's/^.*k8s\.io\/kubernetes \(v[0-9.]*\).*$/\1/p' "$1/go.mod"
}
newest=$(version_of kubernetes)
kubernetes=kubernetes
if [ -n "${ROADSTEAD_KUBERNETES:-}" ] && [ "v$ROADSTEAD_KUBERNETES" != "${newest%.*}" ]; then
  kubernetes=kubernetes-$ROADSTEAD_KUBERNETES
  [ -d "$kubernetes" ] || { echo "build.sh: Kubernetes $ROADSTEAD_KUBERNETES is not supported" >&2 && exit 1; }
fi

# module | package | binary
parts=(
  "etcd|go.etcd.io/etcd/server/v3|etcd"
  "$kubernetes|k8s.io/kubernetes/cmd/kube-apiserver|kube-apiserver"
  "$kubernetes|k8s.io/kubernetes/cmd/kube-controller-manager|kube-controller-manager"
  "$kubernetes|k8s.io/kubernetes/cmd/kube-scheduler|kube-scheduler"
  "$kubernetes|k8s.io/kubernetes/cmd/kubectl|kubectl"
  "nats-server|github.com/nats-io/nats-server/v2|nats-server"
  "nats|github.com/nats-io/natscli/nats|nats"
  "kwok|sigs.k8s.io/kwok/cmd/kwok|kwok"
  "helm4|helm.sh/helm/v4/cmd/helm|helm"
  "helm3|helm.sh/helm/v3/cmd/helm|helm3"
  "promtool|github.com/prometheus/prometheus/cmd/promtool|promtool"
)
plugins=github.com/containernetworking/plugins/plugins
node_parts=(
  "kubelet|k8s.io/kubernetes/cmd/kubelet|kubelet"
  "kubelet|k8s.io/kubernetes/cmd/kube-proxy|kube-proxy"
  "containerd|github.com/containerd/containerd/v2/cmd/containerd|containerd"
  "containerd|github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2|containerd-shim-runc-v2"
  "containerd|github.com/containerd/containerd/v2/cmd/ctr|ctr"
  "runc|github.com/opencontainers/runc|runc"
  # In a folder of their own: one has the name of a command that people have.
  "cni|$plugins/main/bridge|cni/bridge"
  "cni|$plugins/main/loopback|cni/loopback"
  "cni|$plugins/ipam/host-local|cni/host-local"
  "cni|$plugins/meta/portmap|cni/portmap"
  "coredns|github.com/coredns/coredns|coredns"
  "caddy|github.com/caddyserver/caddy/v2/cmd/caddy|caddy"
  "pause|testbed/pause|pause"
)
# Packages of Debian that runc is built with, and that kube-proxy, the kubelet and the CNI plugins call.
packages() {
  type -P iptables nft conntrack ip unshare nsenter pkg-config >/dev/null && pkg-config --exists libseccomp && return
  echo "installing packages of Debian: iptables nftables conntrack iproute2 util-linux libseccomp-dev pkg-config" >&2
  apt-get update -qq >&2
  apt-get install -y -qq iptables nftables conntrack iproute2 util-linux libseccomp-dev pkg-config >&2
}

case ${1:-} in
  "") ;;
  packages)
    packages
    exit
    ;;
  node) parts+=("${node_parts[@]}") ;;
  *)
    echo "build.sh: '$1' is nothing to build; say node, packages or nothing" >&2
    exit 2
    ;;
esac

# What a part's own release build stamps into its binaries. Kubernetes calls itself v0.0.0 without it and refuses
# clients; Helm 3 believes in Kubernetes 1.20 and refuses charts.
linker_flags() { # module
  local minor=${newest#v1.}
  case $1 in
    kubernetes* | kubelet) echo "-s -w -X k8s.io/component-base/version.gitVersion=$(version_of "$1")" ;;
    helm3)
      local package=helm.sh/helm/v3/pkg/chartutil
      echo "-s -w -X $package.k8sVersionMajor=1 -X $package.k8sVersionMinor=${minor%%.*}"
      ;;
    *) echo "-s -w" ;;
  esac
}

# What a part is built without or with. promtool tests rules: the clients of every cloud that Prometheus finds targets in
# would take it minutes. runc needs seccomp: containerd gives the container that holds a pod's namespaces a filter,
# whatever the pod asks for.
tags() { # module
  case $1 in
    promtool) echo remove_all_sd ;;
    runc) echo seccomp ;;
  esac
}

build() { # module, package, output
  local flags
  flags=$(linker_flags "$1")
  (
    cd "$1"
    [ "$1" != runc ] || export CGO_ENABLED=1 # seccomp is C
    go build -trimpath -tags "$(tags "$1")" -ldflags "$flags" -o "$3" "$2"
  ) >&2
}

fingerprint() { # module
  cat "$1"/go.* "$1"/*.go <(linker_flags "$1"; tags "$1"; go version) | sha256sum | cut -c1-16
}

bin=$cache/bin-$(for m in $(printf '%s\n' "${parts[@]}" | cut -d'|' -f1 | sort -u); do fingerprint "$m"; done |
  cat - <(echo "${KUBEBUILDER_ASSETS:-}"; [ -z "${1:-}" ] || cat images.sh ../../image/oci.py) | sha256sum | cut -c1-16)
if [ -e "$bin/complete" ]; then
  echo "$bin"
  exit 0
fi
mkdir -p "$bin"
exec 9>"$cache/lock"
flock 9 # two runs at once would build everything twice
[ -z "${1:-}" ] || packages

number=0
for part in "${parts[@]}"; do
  IFS='|' read -r module package name <<<"$part"
  number=$((number + 1))
  if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$name" ]; then
    ln -sf "$KUBEBUILDER_ASSETS/$name" "$bin/$name"
    echo "[$number/${#parts[@]}] $name: from KUBEBUILDER_ASSETS" >&2
    continue
  fi
  kept=$cache/$module-$(fingerprint "$module")
  if [ ! -x "$kept/$name" ]; then
    echo "[$number/${#parts[@]}] $name: building (minutes when cold)" >&2
    mkdir -p "$(dirname "$kept/$name")"
    started=$SECONDS
    build "$module" "$package" "$kept/$name.new"
    mv "$kept/$name.new" "$kept/$name"
    echo "[$number/${#parts[@]}] $name: built in $((SECONDS - started)) s" >&2
  fi
  mkdir -p "$(dirname "$bin/$name")"
  ln -sf "$kept/$name" "$bin/$name"
done

# kwok's stages say how its fake nodes and pods live; they come with the module's source.
stages=$(cd kwok && go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
mkdir -p "$bin/kwok-stages"
for stage in node/fast/node-initialize.yaml node/heartbeat-with-lease/node-heartbeat-with-lease.yaml \
  pod/fast/pod-ready.yaml pod/fast/pod-complete.yaml pod/fast/pod-delete.yaml; do
  install -m 0644 "$stages/$stage" "$bin/kwok-stages/"
done
[ -z "${1:-}" ] || ./images.sh "$bin" >&2
touch "$bin/complete"
echo "$bin"
