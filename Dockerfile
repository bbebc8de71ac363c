# SPDX-License-Identifier: Apache-2.0
#
# An image of the program, the libraries it is linked with, CA certificates, and nothing else.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" \
#       --build-arg CREATED="$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)" -t nsaddrd .
#
# SOURCE_DATE_EPOCH is the time of the image and of all in it (buildah, podman: --timestamp, too): the
# same sources, base image and Debian packages give the same bytes. buildah and podman need
# --format docker, or they leave the health check out.
ARG BUILD_BASE=debian:bookworm-slim
FROM ${BUILD_BASE} AS build
WORKDIR /build
COPY packaging/quickstart.sh packaging/
RUN packaging/quickstart.sh --install-only && \
    apt-get -q install -y --no-install-recommends ca-certificates
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN cmake -S . -B build -G Ninja -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_TESTING=OFF && \
    cmake --build build --target nsaddrd && \
    packaging/image/collect.sh build/nsaddrd /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="nsaddrd" \
      org.opencontainers.image.description="RocketMQ NameServer address server for Consul" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /image /
USER 65532:65532
# The only thing that is written: the lists, for the next start. All else may be read-only.
VOLUME /var/lib/nsaddrd
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s CMD ["/usr/sbin/nsaddrd", "probe"]
ENTRYPOINT ["/usr/sbin/nsaddrd"]
