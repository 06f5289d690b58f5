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
write() { # module, package to build, module version
  mkdir -p "$1"
  (cd "$1" && rm -f go.mod go.sum && go mod init "testbed/$1" && go get -tool "$2@$3" && go mod tidy -e) >&2
}

# k8s.io/kubernetes names its staging modules as v0.0.0 and replaces them by folders of its own tree:
# outside that tree each needs a replace by its published version.
kubernetes() { # module, version
  mkdir -p "$1"
  local minor=${2#v1.} upstream
  upstream=$(go mod download -json "k8s.io/kubernetes@$2" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  (
    cd "$1"
    rm -f go.mod go.sum
    go mod init "testbed/$1"
    sed -n 's/^\t\(k8s\.io\/[a-z-]*\) v0\.0\.0$/\1/p' "$upstream" | sort -u | while read -r staging; do
      go mod edit -replace "$staging=$staging@v0.$minor"
    done
    for command in kube-apiserver kube-controller-manager kube-scheduler kubectl; do
      go get -tool "k8s.io/kubernetes/cmd/$command@$2"
    done
    go mod tidy
  ) >&2
}

kubernetes kubernetes "${KUBERNETES[0]}"
for version in "${KUBERNETES[@]:1}"; do
  minor=${version#v}
  kubernetes "kubernetes-${minor%.*}" "$version"
done
write etcd go.etcd.io/etcd/server/v3 v3.7.3
write helm3 helm.sh/helm/v3/cmd/helm v3.22.0
write helm4 helm.sh/helm/v4/cmd/helm v4.3.1
write kwok sigs.k8s.io/kwok/cmd/kwok v0.8.0
write nats-server github.com/nats-io/nats-server/v2 v2.15.2
write nats github.com/nats-io/natscli/nats v0.5.1
