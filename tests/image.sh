#!/usr/bin/env bash
# Builds the Dockerfile with buildah, looks into the image and runs the binary inside of it. Leaves
# target/long/image.json.
#
# RUST_IMAGE names the image to build in. Without it, one is made of Debian's own packages and this machine's Rust
# toolchain, so that no container registry is needed. Needs root, buildah and, for the latter, debootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$PWD/target/image
mkdir -p "$work" target/long
image=localhost/berth
base=${RUST_IMAGE:-localhost/berth-rust}

say() { printf 'image: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# Storage of our own: nothing of it is left in the machine's.
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }

# Debian with a C compiler, and the toolchain where the official image has it on its PATH.
make_base() {
    local root=$work/root toolchain container
    toolchain=$(rustc --print sysroot)
    rm -rf "$root"
    say "making $base: Debian, and $(rustc --version)"
    debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev bookworm "$root" > "$work/debootstrap.log" ||
        fail "debootstrap failed: $work/debootstrap.log says why"
    mkdir -p "$root/usr/local/rust"
    cp -a "$toolchain/bin" "$toolchain/lib" "$root/usr/local/rust/"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$root" / > /dev/null
    # Whom this machine trusts, for cargo alone: the image gets Debian's own certificates.
    buildah add --quiet "$container" /etc/ssl/certs/ca-certificates.crt /usr/local/share/machine.crt > /dev/null
    buildah config --env CARGO_HTTP_CAINFO=/usr/local/share/machine.crt "$container"
    buildah config --env PATH=/usr/local/rust/bin:/usr/local/bin:/usr/bin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
    buildah commit --quiet --rm "$container" "$base" > /dev/null
    rm -rf "$root"
}

if [ -z "${RUST_IMAGE:-}" ] && ! buildah inspect --type image "$base" > /dev/null 2>&1; then make_base; fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD)
begin=$SECONDS
say "building"
# The crates that this machine has need not be fetched again.
cache=${CARGO_HOME:-$HOME/.cargo}/registry
buildah build --quiet --isolation chroot --layers=false --build-arg RUST_IMAGE="$base" --build-arg VERSION="$version" \
    --build-arg REVISION="$revision" --volume "$cache:/usr/local/cargo/registry" --timestamp 0 --tag "$image" . > "$work/id"
seconds=$((SECONDS - begin))

container=$(buildah from "$image")
trap 'buildah rm "$container" > /dev/null' EXIT
root=$(buildah mount "$container")
user=$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' "$image")
[ "$user" = 65532:65532 ] || fail "the user is '$user'"
for label in "version=$version" "revision=$revision" licenses=Apache-2.0; do
    value=$(buildah inspect --type image --format "{{index .OCIv1.Config.Labels \"org.opencontainers.image.${label%%=*}\"}}" "$image")
    [ "$value" = "${label#*=}" ] || fail "the label ${label%%=*} is '$value'"
done
# Programs: the binary, and the loader among the libraries.
programs=$(cd "$root" && find . -type f -perm -100 ! -name '*.so*' | sort)
[ "$programs" = ./usr/bin/berth ] || fail "there are other programs: $programs"
grep -q 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt" || fail "there are no certificates"
grep -aq 'dep-v0' "$root/usr/bin/berth" || fail "the binary has no list of its crates"
! grep -aqF "$HOME/.cargo" "$root/usr/bin/berth" || fail "the binary names folders of this machine"

bytes=$(du --apparent-size --bytes --summarize "$root" | cut -f 1)
binary=$(stat --format %s "$root/usr/bin/berth")
digest=$(sha256sum "$root/usr/bin/berth" | cut -d ' ' -f 1)
# The last, since it leaves files of its own in the container.
said=$(buildah run --isolation chroot "$container" -- /usr/bin/berth --version)
[ "$said" = "berth $version" ] || fail "berth --version says '$said'"
printf '{"commit": "%s", "imageBytes": %s, "binaryBytes": %s, "binarySHA256": "%s", "buildSeconds": %s}\n' \
    "$revision" "$bytes" "$binary" "$digest" "$seconds" | tee target/long/image.json
