#!/usr/bin/env bash
# Builds the programs of the development stack from the Go modules beside this file.
#
# Each module goes to a folder of its own, named after the content of the module's
# files, so that an edit of the simulator does not rebuild Kubernetes. Such a folder
# appears by a rename, complete or not at all; deleting it is always safe.
#
# usage: build.sh [--quiet] [MODULE...], none means all
# stdout: MODULE=<dir> in capitals, one a line; stderr: progress, with --quiet only of what is really built.
# Exit status: 2 when Go is missing or too old.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cache=${BERTH_CACHE:-${HOME:?set HOME or BERTH_CACHE}/.cache/berth}/devstack

# Readonly: the checksums in go.sum decide what is built. A version-control stamp would
# make the binary depend on the commit instead of on the module's files.
export GOFLAGS="-mod=readonly -buildvcs=false"
# A workspace file in some parent folder must not change what is built.
export GOWORK=off

say() { printf 'devstack: %s\n' "$*" >&2; }

require_go() {
    local need have
    need=$(sed -n 's/^go //p' "$here"/go/*/go.mod | sort -V | tail -n 1)
    if ! command -v go >/dev/null; then
        say "the Go toolchain is missing: install Go $need or newer and put it on PATH"
        exit 2
    fi
    have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || true
    have=${have#go}
    if [ -z "$have" ] || [ "$(printf '%s\n' "$need" "$have" | sort -V | head -n 1)" != "$need" ]; then
        say "Go $need or newer is needed, this is ${have:-of unknown version} ($(command -v go))"
        exit 2
    fi
}

# The key covers names and content of every file of the module but its tests.
module_key() {
    (
        cd "$here/go/$1"
        find . -type f ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    ) | sha256sum | cut -c 1-16
}

version_of() { sed -n "s|^.*\b$2 v\([0-9][^ ]*\).*|\1|p" "$here/go/$1/go.mod" | head -n 1; }

build_kube() {
    local version major minor stamp
    version=$(version_of kube k8s.io/kubernetes)
    IFS=. read -r major minor _ <<<"$version"
    # Clients parse the version the server reports; without the stamp it is v0.0.0.
    stamp=k8s.io/component-base/version
    stamp="-X $stamp.gitVersion=v$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
    stage "kube-apiserver $version" go build -ldflags "$stamp" -o "$1/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
    stage "kubectl $version" go build -ldflags "$stamp" -o "$1/kubectl" ./cmd/kubectl
}

build_etcd() {
    stage "etcd $(version_of etcd go.etcd.io/etcd/server/v3)" go build -o "$1/etcd" go.etcd.io/etcd/server/v3
}

build_vcsim() {
    stage "vcsim" go build -o "$1/vcsim" .
}

build_kstatus() {
    stage "kstatus $(version_of kstatus sigs.k8s.io/cli-utils)" go build -o "$1/kstatus" .
}

# Helm says which version of Kubernetes it was made for, and a chart may ask.
build_helm3() {
    local version client stamp
    version=$(version_of helm3 helm.sh/helm/v3)
    client=$(version_of helm3 k8s.io/client-go)
    IFS=. read -r _ client _ <<<"$client"
    stamp="-X helm.sh/helm/v3/internal/version.version=v$version"
    stamp+=" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$client"
    stamp+=" -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$client"
    stage "helm $version" go build -ldflags "$stamp" -o "$1/helm" helm.sh/helm/v3/cmd/helm
}

# The newer Helm finds the version of Kubernetes by itself.
build_helm4() {
    local version
    version=$(version_of helm4 helm.sh/helm/v4)
    stage "helm $version" go build -ldflags "-X helm.sh/helm/v4/internal/version.version=v$version" \
        -o "$1/helm" helm.sh/helm/v4/cmd/helm
}

build_kubeconform() {
    stage "kubeconform $(version_of kubeconform github.com/yannh/kubeconform)" \
        go build -o "$1/kubeconform" github.com/yannh/kubeconform/cmd/kubeconform
}

build_kube-score() {
    stage "kube-score $(version_of kube-score github.com/zegl/kube-score)" \
        go build -o "$1/kube-score" github.com/zegl/kube-score/cmd/kube-score
}

stage() {
    local name=$1 start=$SECONDS
    shift
    say "building $name ..."
    "$@" >&2
    say "built $name in $((SECONDS - start)) s"
}

work=
trap 'if [ -n "$work" ]; then rm -rf -- "$work"; fi' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

quiet=
if [ "${1:-}" = --quiet ]; then
    quiet=yes
    shift
fi
mapfile -t modules < <(cd "$here/go" && printf '%s\n' *)
if [ $# -eq 0 ]; then set -- "${modules[@]}"; fi
for module in "$@"; do
    if ! declare -F "build_$module" >/dev/null; then
        say "unknown module '$module': there are ${modules[*]}"
        exit 64
    fi
done

checked=
result=()
for module in "$@"; do
    dir=$cache/$module-$(module_key "$module")
    if [ -d "$dir" ]; then
        [ -n "$quiet" ] || say "$module is up to date"
    else
        if [ -z "$checked" ]; then
            require_go
            checked=yes
        fi
        mkdir -p "$cache"
        work=$(mktemp -d "$cache/.build-$module.XXXXXX")
        (cd "$here/go/$module" && "build_$module" "$work")
        chmod 755 "$work"
        # -T: should another build have finished first, its folder is as good as ours.
        mv -T "$work" "$dir" 2>/dev/null || [ -d "$dir" ]
        rm -rf -- "$work"
        work=
    fi
    result+=("${module^^}=$dir")
done
printf '%s\n' "${result[@]}"
