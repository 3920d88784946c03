# Two images: `--target worker` trains, with torch; the last one serves, without it, and has the other commands.
FROM python:3.12-slim AS source
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY nlu nlu
COPY skills skills
COPY storage storage
COPY training training

FROM source AS build-worker
RUN python -m venv /opt/softspoken
ENV PATH=/opt/softspoken/bin:$PATH
# torch first, from its CPU index: the default one brings gigabytes of CUDA.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
RUN pip install --no-cache-dir -c constraints.txt '.[train,tracing]'
# The backbone, converted once here: containers start without it, and without a disk to write to.
RUN softspoken backbone export --cache-dir /opt/cache && chmod -R a+rX /opt/cache

FROM source AS build-server
RUN python -m venv /opt/softspoken && /opt/softspoken/bin/pip install --no-cache-dir '.[serve,tracing]'

FROM python:3.12-slim AS base
RUN useradd --uid 10001 --create-home softspoken
COPY --from=build-worker /opt/cache /opt/cache
ENV PATH=/opt/softspoken/bin:$PATH \
    SOFTSPOKEN_CACHE_DIR=/opt/cache \
    PYTHONUNBUFFERED=1
RUN install -d -o softspoken /data
# By number: Kubernetes cannot tell whether a name is root.
USER 10001
WORKDIR /data
ENTRYPOINT ["softspoken"]

FROM base AS worker
COPY --from=build-worker /opt/softspoken /opt/softspoken
CMD ["worker"]

FROM base AS server
COPY --from=build-server /opt/softspoken /opt/softspoken
EXPOSE 50051
CMD ["serve", "--address", "127.0.0.1:50051"]
