#!/usr/bin/env bash
# Builds the programs of the development stack (kube-apiserver, kubectl, etcd, vCenter simulator)
# from the Go modules beside this file, into a cache that outlives `cargo clean`.
#
#   build.sh                 build what the cache does not have
#   build.sh vcsim etcd      only these modules
#   build.sh --dirs          print `module=folder` lines, building nothing
#
# A folder's name is the hash of the module's files and of its recipe, one per module: an edit of
# the simulator leaves Kubernetes alone, and a stale binary cannot be picked up.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache="${BERTH_CACHE:-$HOME/.cache/berth}/devstack"
kubernetes=v1.36.3
# Clients parse the version, and an unstamped build reports 0.0.
stamp="-X k8s.io/component-base/version.gitVersion=$kubernetes"
stamp+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"

# One line per program: module, program, package, linker flags.
recipes() {
    echo "etcd|etcd|go.etcd.io/etcd/server/v3|-s -w"
    echo "kube|kube-apiserver|k8s.io/kubernetes/cmd/kube-apiserver|-s -w $stamp"
    echo "kube|kubectl|./cmd/kubectl|-s -w $stamp"
    echo "vcsim|vcsim|.|-s -w"
}

folder() {
    local module=$1 hash
    hash=$(
        cd "$here/go/$module"
        {
            recipes | grep "^$module|"
            find . -type f \( -name '*.go' -o -name go.mod -o -name go.sum \) -print0 |
                LC_ALL=C sort -z | xargs -0 sha256sum
        } | sha256sum | cut -c1-16
    )
    echo "$cache/$module-$hash"
}

build() {
    local module=$1 target begin work program package flags
    target=$(folder "$module")
    if [ -d "$target" ]; then
        echo "devstack: $module is built"
        return
    fi
    if ! command -v go >/dev/null; then
        echo "devstack: Go is missing (the command 'go'); it is needed to build $module" >&2
        exit 3
    fi
    mkdir -p "$cache"
    # Built beside its place and renamed, so that an interrupted build leaves nothing that looks whole.
    work=$(mktemp -d "$cache/.building-$module-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    while IFS='|' read -r _ program package flags; do
        begin=$SECONDS
        echo "devstack: building $program ..."
        (cd "$here/go/$module" && go build -mod=readonly -ldflags "$flags" -o "$work/$program" "$package")
        echo "devstack: built $program in $((SECONDS - begin)) s"
    done < <(recipes | grep "^$module|")
    chmod 755 "$work"
    # Someone else may have finished first; their build is as good.
    mv -T "$work" "$target" 2>/dev/null || [ -d "$target" ]
    rm -rf "$work"
    trap - EXIT
}

modules=()
dirs=no
for argument in "$@"; do
    case $argument in
        --dirs) dirs=yes ;;
        etcd | kube | vcsim) modules+=("$argument") ;;
        *) echo "usage: build.sh [--dirs] [etcd] [kube] [vcsim]" >&2; exit 2 ;;
    esac
done
[ ${#modules[@]} -gt 0 ] || modules=(etcd kube vcsim)

for module in "${modules[@]}"; do
    if [ $dirs = yes ]; then
        echo "$module=$(folder "$module")"
    else
        build "$module"
    fi
done
