# The stack `torch2.7-cu126`: the environment of a run with the tools of a person; the code is mounted at /workspace.
# Written by `reprokit dockerfile torch2.7-cu126` from envs/torch2.7-cu126/stack.yaml; change that, not this.
#
# ReproKit builds from it. By hand, in the workspace's folder:
#   docker build -f dockerfiles/torch2.7-cu126/dev.Dockerfile --build-arg PROJECT=digits -t digits .
# and, where a package index needs them,
#   --secret id=ca,src=FILE         certificates to trust
#   --secret id=index,src=FILE      settings, as lines such as: export UV_DEFAULT_INDEX='https://...'
#   --build-context uv=DIR          a folder with the program uv
#   --build-context stack-wheels=DIR --build-context project-wheels=DIR
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ghcr.io/astral-sh/uv:0.13.8 AS uv
FROM scratch AS stack-wheels
FROM scratch AS project-wheels

# The project's lock, or nothing: a project may need no more than its stack.
FROM scratch AS project-lock
ARG PROJECT
COPY projects/${PROJECT}/requirements.torch2.7-cu126.loc[k] /

# What each layer runs. It leaves the same bytes whenever and wherever it runs.
FROM scratch AS recipe
COPY --chmod=755 <<'SH' /layer
#!/bin/sh
# layer system PACKAGE... | layer packages LOCK... | layer code
set -eu
start=$(date +%s)
written=/

[ ! -e /run/secrets/ca ] || export SSL_CERT_FILE=/run/secrets/ca
[ ! -e /run/secrets/client ] || export SSL_CLIENT_CERT=/run/secrets/client
[ ! -s /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=1
[ ! -e /run/secrets/index ] || . /run/secrets/index

system() {
  [ -z "${HTTP_PROXY:-}" ] || export http_proxy="$HTTP_PROXY"
  [ -z "${HTTPS_PROXY:-}" ] || export https_proxy="$HTTPS_PROXY"
  [ ! -e /run/secrets/ca ] || echo 'Acquire::https::CaInfo "/run/secrets/ca";' >/tmp/apt.conf
  [ ! -e /tmp/apt.conf ] || export APT_CONFIG=/tmp/apt.conf
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
  rm -f /var/lib/dpkg/*-old /var/cache/debconf/*-old
}

packages() {
  export UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy UV_NO_INSTALLER_METADATA=1
  export UV_PYTHON_DOWNLOADS=never UV_INDEX_STRATEGY=unsafe-best-match
  [ -e "$VIRTUAL_ENV" ] || uv venv --quiet --python 3.12 "$VIRTUAL_ENV"
  for lock; do [ ! -e "$lock" ] || add "$lock"; done
  # Here, as a run may not write here.
  written=${VIRTUAL_ENV%/*}
  PYTHONHASHSEED=0 python -S -W ignore /run/reprokit/recipe/compile.py "$VIRTUAL_ENV"/lib
}

# Without the network first: what the cache and the given wheels hold is not asked for again.
add() {
  set -- --quiet --no-deps --require-hashes --requirement "$1" ${REPROKIT_UV_OPTIONS:-}
  for wheels in /run/reprokit/wheels/*; do set -- "$@" --find-links "$wheels"; done
  uv pip install --offline "$@" 2>/dev/null || uv pip install "$@"
}

uv() { /run/reprokit/uv/uv "$@"; }

code() {
  : "${PROJECT:?is not set: build with --build-arg PROJECT=NAME}"
  mkdir -p /workspace/projects
  cp -R /run/reprokit/code "/workspace/projects/$PROJECT"
  chmod -R u=rwX,go=rX /workspace
  chown -R 1000:1000 /workspace
  written=/workspace
}

"$@"
# The time of whatever this layer wrote, and of nothing that lay there before. To look through all of the image, where
# it is known what was written, takes longer than all else in a small layer; what is mounted for it (/etc/hosts, the
# caches) leaves its mark on the folders around, in some image stores.
stamp() {
  find "$@" -xdev -newerct "@$start" -newermt "@$SOURCE_DATE_EPOCH" \
    -exec touch -hcd "@$SOURCE_DATE_EPOCH" {} + 2>/dev/null || true
}
stamp "$written"
stamp / -maxdepth 2
SH
COPY <<'PY' /compile.py
"""Compile every module under a folder that has no byte code yet; its validity is its content, not a time.

A process of its own for each folder: what Python compiled before shows in the byte code, so that sharing
processes would make it depend on which of them happened to be free.
"""
import os
import sys
from py_compile import PycInvalidationMode, compile

CACHED = ".%s.pyc" % sys.implementation.cache_tag
work = []
for folder, below, names in os.walk(sys.argv[1]):
    # One look a folder and not one a file: a small layer on top of torch waits for this.
    made = os.listdir(os.path.join(folder, "__pycache__")) if "__pycache__" in below else ()
    made = {name[: -len(CACHED)] for name in made if name.endswith(CACHED)}
    new = [name for name in sorted(names) if name.endswith(".py") and name[:-3] not in made]
    work.append([os.path.join(folder, name) for name in new])
running = 0
for paths in filter(None, work):
    if running >= (os.cpu_count() or 1):
        os.wait()
        running -= 1
    if os.fork() == 0:
        for path in paths:
            # Some modules are written for other Pythons, or are broken on purpose, for tests.
            compile(path, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        os._exit(0)
    running += 1
for _ in range(running):
    os.wait()
PY
FROM scratch AS dev-wheels

# From what changes least to what changes most. `reprokit run` uses this stage, with the code mounted.
FROM ${BASE_IMAGE} AS environment
ARG SOURCE_DATE_EPOCH=1700000000
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The stack: heavy, shared by all its projects.
RUN --mount=type=bind,from=recipe,target=/run/reprokit/recipe \
    --mount=type=bind,from=uv,target=/run/reprokit/uv \
    --mount=type=bind,from=stack-wheels,target=/run/reprokit/wheels/stack \
    --mount=type=bind,source=envs/torch2.7-cu126/requirements.lock,target=/run/reprokit/locks/stack.lock \
    --mount=type=secret,id=index --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=client \
    --mount=type=cache,id=reprokit-uv,target=/var/cache/uv --mount=type=tmpfs,target=/tmp \
    /run/reprokit/recipe/layer packages /run/reprokit/locks/stack.lock

# The project: light.
RUN --mount=type=bind,from=recipe,target=/run/reprokit/recipe \
    --mount=type=bind,from=uv,target=/run/reprokit/uv \
    --mount=type=bind,from=project-wheels,target=/run/reprokit/wheels/project \
    --mount=type=bind,from=project-lock,target=/run/reprokit/locks/project \
    --mount=type=secret,id=index --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=client \
    --mount=type=cache,id=reprokit-uv,target=/var/cache/uv --mount=type=tmpfs,target=/tmp \
    /run/reprokit/recipe/layer packages /run/reprokit/locks/project/requirements.torch2.7-cu126.lock

FROM environment AS dev
RUN --mount=type=bind,from=recipe,target=/run/reprokit/recipe \
    --mount=type=secret,id=index --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=client \
    --mount=type=cache,id=reprokit-torch2.7-cu126-apt,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=reprokit-torch2.7-cu126-apt-lists,target=/var/lib/apt/lists,sharing=locked \
    --mount=type=tmpfs,target=/var/log --mount=type=tmpfs,target=/var/cache/ldconfig --mount=type=tmpfs,target=/tmp \
    /run/reprokit/recipe/layer system git

# Where a tool and the run want different versions of something, the run's is what is there in the end.
RUN --mount=type=bind,from=recipe,target=/run/reprokit/recipe \
    --mount=type=bind,from=uv,target=/run/reprokit/uv \
    --mount=type=bind,from=stack-wheels,target=/run/reprokit/wheels/stack \
    --mount=type=bind,from=project-wheels,target=/run/reprokit/wheels/project \
    --mount=type=bind,from=dev-wheels,target=/run/reprokit/wheels/dev \
    --mount=type=bind,source=envs/torch2.7-cu126/requirements.lock,target=/run/reprokit/locks/stack.lock \
    --mount=type=bind,from=project-lock,target=/run/reprokit/locks/project \
    --mount=type=bind,source=envs/torch2.7-cu126/dev.lock,target=/run/reprokit/locks/dev.lock \
    --mount=type=secret,id=index --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=client \
    --mount=type=cache,id=reprokit-uv,target=/var/cache/uv --mount=type=tmpfs,target=/tmp \
    /run/reprokit/recipe/layer packages /run/reprokit/locks/dev.lock /run/reprokit/locks/stack.lock /run/reprokit/locks/project/requirements.torch2.7-cu126.lock
ENV HOME=/tmp USER=reprokit LOGNAME=reprokit
USER 1000:1000
WORKDIR /workspace
CMD ["bash"]
