# One image for the server, the worker and the command line.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/softspoken
ENV PATH=/opt/softspoken/bin:$PATH
# torch first, from its CPU index: the default one brings gigabytes of CUDA.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY nlu nlu
COPY skills skills
COPY storage storage
COPY training training
RUN pip install --no-cache-dir -c constraints.txt '.[server,tracing]'
# The backbone, converted once here: containers start without it, and without a disk to write to.
COPY deploy/make_cache.py deploy/
RUN python deploy/make_cache.py /opt/softspoken/cache && chmod -R a+rX /opt/softspoken/cache

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home softspoken
COPY --from=build /opt/softspoken /opt/softspoken
ENV PATH=/opt/softspoken/bin:$PATH \
    SOFTSPOKEN_CACHE_DIR=/opt/softspoken/cache \
    PYTHONUNBUFFERED=1
RUN install -d -o softspoken /data
# By number: Kubernetes cannot tell whether a name is root.
USER 10001
WORKDIR /data
EXPOSE 50051
ENTRYPOINT ["softspoken"]
CMD ["serve", "--address", "127.0.0.1:50051"]
