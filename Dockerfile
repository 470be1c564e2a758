# syntax=docker/dockerfile:1

ARG GO_VERSION=1.26

# Builds on the machine's own platform, for whichever one is asked for: without
# cgo that is only a different GOARCH.
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
ARG REVISION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION} -X main.revision=${REVISION}" -o /out/polar-bridge . \
    && scripts/licenses /out/licenses \
    && mkdir -m 0770 -p /out/empty/data

FROM gcr.io/distroless/static-debian13:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="polar-bridge" \
      org.opencontainers.image.description="Deletes the Polar customer of everybody who deletes their account at the identity provider" \
      org.opencontainers.image.url="https://github.com/polar-bridge/polar-bridge" \
      org.opencontainers.image.source="https://github.com/polar-bridge/polar-bridge" \
      org.opencontainers.image.documentation="https://github.com/polar-bridge/polar-bridge#readme" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="polar-bridge" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/static-debian13:nonroot"
COPY --from=build /out/polar-bridge /polar-bridge
COPY --from=build /out/licenses /licenses
# The only place that is written to. A volume mounted here must belong to 65532, or to
# group 0, in which OpenShift's arbitrary users are. Only what is inside of a folder
# that is copied keeps its mode.
COPY --from=build --chown=65532:0 /out/empty/ /
# With PostgreSQL set DATABASE_URL, or empty it and set DATABASE_URL_FILE.
ENV DATABASE_URL=sqlite:/data/polar-bridge.db \
    ADMIN_ADDR=:9090
# A number, because Kubernetes' runAsNonRoot cannot look a name up.
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/polar-bridge", "healthcheck"]
ENTRYPOINT ["/polar-bridge"]
CMD ["serve"]
