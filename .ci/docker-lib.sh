# What docker-up and docker-down share: where things lie, and how to tell our processes from others'.
# Sourced, never run.
# shellcheck shell=bash disable=SC2034  # the constants are used by the scripts that source this

readonly PREFIX=/opt/reprokit-docker       # the unpacked programs and their settings
readonly DATA=/var/lib/reprokit-docker     # images, containers, the registry's blobs
readonly CACHE=/var/cache/reprokit-docker  # downloaded packages
readonly RUN=/run/reprokit-docker          # pid files and the engine's own state
readonly SOCKET=/var/run/docker.sock
readonly REGISTRY=127.0.0.1:5000

# Fail inside $(...) too.
shopt -s inherit_errexit

microseconds() { echo "${EPOCHREALTIME//[!0-9]/}"; }
START=$(microseconds)
readonly START

# say MESSAGE: with the seconds since the start.
say() {
  local tenths=$((($(microseconds) - START) / 100000))
  printf '%3d.%d s  %s\n' $((tenths / 10)) $((tenths % 10)) "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "root is needed to $1"; }

# Only one docker-up or docker-down at a time. Daemons must be started with 9>&-, or they keep the lock.
# Without root nothing can be started or stopped, so there is nothing to lock.
lock() {
  [ "$(id -u)" = 0 ] || return 0
  exec 9>"$RUN.lock"
  flock -w 600 9 || die "another docker-up or docker-down has held $RUN.lock for ten minutes"
}

# alive PIDFILE PROGRAM: print the pid if it is a living process of that very program of ours.
# /run may survive a reboot here, so a pid alone can belong to anybody.
alive() {
  local pid exe
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
  exe=$(readlink "/proc/$pid/exe") || return 1
  [ "${exe% (deleted)}" = "$PREFIX/root/$2" ] && echo "$pid"
}

# until_true SECONDS COMMAND...: poll until the command succeeds.
until_true() {
  local left=$(($1 * 20))
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.05
  done
}

registry_answers() (
  exec 3<>"/dev/tcp/${REGISTRY%:*}/${REGISTRY#*:}" || exit 1
  printf 'GET /v2/ HTTP/1.0\r\nHost: %s\r\n\r\n' "$REGISTRY" >&3
  read -r -t 2 status <&3 && [[ $status == *" 200 "* ]]
) 2>/dev/null
