# syntax=docker/dockerfile:1

# === build: the compiler, and cmake for the compression library that the proxy links
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches stay with the builder; only the binary leaves this stage.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --features mongodb,otel --bin doorward \
    && install -D target/release/doorward /out/doorward \
    && install -d -m 0750 /out/data

# === run: C library, certificates, a user without rights, and no shell
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/doorward /usr/local/bin/doorward
# SQLite lives here when there is no other database.
COPY --from=build --chown=65532:65532 /out/data /var/lib/doorward
WORKDIR /var/lib/doorward
ENV DOORWARD_CONFIG=/etc/doorward/doorward.toml
USER 65532:65532
EXPOSE 8080
VOLUME /var/lib/doorward
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/doorward", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/doorward"]
CMD ["serve"]
