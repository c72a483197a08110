# Berth's image: the binary, the C library that it is linked to, and the certificates of public authorities. No shell.
#
#   docker build --tag berth --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# The same sources on the same base image give the same files. Pin RUST_IMAGE by its digest to keep it so.
ARG RUST_IMAGE=rust:1.95-bookworm

FROM ${RUST_IMAGE} AS build
# It writes the list of all crates into the binary, for scanners to read.
RUN cargo install --quiet --locked --root /usr/local cargo-auditable@0.7.7
WORKDIR /src
COPY . .
# Where it was built is no part of what was built.
ENV RUSTFLAGS="--remap-path-prefix=/src=/berth --remap-path-prefix=/usr/local/cargo=/cargo"
RUN cargo auditable build --quiet --release --locked --bin berth
# The C library looks names up as everywhere: the pod's hosts file first.
RUN set -eu; \
    install -D target/release/berth /image/usr/bin/berth; \
    install -D -m 644 LICENSE /image/usr/share/doc/berth/LICENSE; \
    ldd target/release/berth > /tmp/libraries; \
    for library in $(grep -o '/[^ ]*' /tmp/libraries); do install -D "$library" "/image$library"; done; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt; \
    echo 'hosts: files dns' > /image/etc/nsswitch.conf; \
    find /image -exec touch --no-dereference --date=@0 {} +

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Berth" \
      org.opencontainers.image.description="Gives every VM instance its vSphere datastore: a Kubernetes controller" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# A number, so that runAsNonRoot can be checked without a look into the image.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/berth"]
