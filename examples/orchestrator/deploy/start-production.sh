#!/bin/sh
# Starts the orchestrator in production on this machine, once everything it needs has been looked at.
set -eu

usage() {
  cat <<'TEXT'
Usage: start-production.sh [MODE] [options]

Modes
  single            one process, in the foreground (the default)
  cluster           a process manager and its workers, in the foreground
  daemon            the same in the background
  check             look at everything, start nothing
  status, reload, stop   of a manager that runs, found by its pid file

Options
  --workers N       processes that serve (cluster and daemon; default 2); they need REDIS_URL and DATABASE_URL
  --bind ADDRESS    HOST:PORT, or unix:PATH with cluster and daemon (default SOCKET or HOST:PORT of the settings)
  --env-file FILE   settings, one NAME=value a line (default: .env beside the orchestrator's package.json, if it is there)
  --pid-file FILE   default run/signalbox.pid beside it
  --output FILE     what a daemon writes (default run/signalbox.log)
  -h, --help

Exit codes: 0 done, 1 something is missing or wrong, 2 wrong options; those of the manager (3 not running, 4 already
running, 5 address in use, 8 rolled back, 9 start failed, 10 timed out) come through.
TEXT
}

say() { printf '%s\n' "$*" >&2; }
ok() { say "  ok       $*"; }
fail() { say "  missing  $*"; failures=$((failures + 1)); }
die() { say "start-production: $1"; exit "${2:-1}"; }

here=$(cd "$(dirname "$0")" && pwd -P)
app=$(dirname "$here")
mode=single
workers=
bind=
env_file=
pid_file=$app/run/signalbox.pid
output=$app/run/signalbox.log
failures=0

case ${1:-} in
'' | -*) ;;
*) mode=$1; shift ;;
esac
case $mode in
single | cluster | daemon | check | status | reload | stop) ;;
help) usage; exit 0 ;;
*) die "there is no mode \"$mode\"; there are single, cluster, daemon, check, status, reload and stop" 2 ;;
esac

while [ $# -gt 0 ]; do
  case $1 in
  -h | --help) usage; exit 0 ;;
  --workers | --bind | --env-file | --pid-file | --output)
    [ $# -ge 2 ] || die "$1 needs a value" 2
    case $1 in
    --workers) workers=$2 ;;
    --bind) bind=$2 ;;
    --env-file) env_file=$2 ;;
    --pid-file) pid_file=$2 ;;
    --output) output=$2 ;;
    esac
    shift 2
    ;;
  *) die "there is no option \"$1\"; --help lists all" 2 ;;
  esac
done

case $workers in
'') ;;
*[!0-9]* | 0*) die "--workers must be a whole number from 1, got \"$workers\"" 2 ;;
*) [ "$mode" != single ] || die '--workers is for cluster and daemon; single is one process' 2 ;;
esac
# Relative to where it was said, not to where the app runs.
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s' "$PWD/$1" ;; esac; }
pid_file=$(absolute "$pid_file")
output=$(absolute "$output")
[ -z "$env_file" ] || env_file=$(absolute "$env_file")
case $bind in unix:*) bind=unix:$(absolute "${bind#unix:}") ;; esac
manager=$app/node_modules/@signalbox/cluster/bin/signalbox.js

# Each line of a file of settings, as text: nothing in it is run. What the environment has already ranks before it. Quotes around
# a value are no part of it, as for Node and systemd, which read the same file.
read_settings() {
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in '' | '#'*) continue ;; esac
    name=${line%%=*}
    case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) die "$1: \"$name\" is no name of a setting" ;; esac
    [ "$name" != "$line" ] || die "$1: \"$name\" has no value; write $name=value"
    value=${line#*=}
    case $value in
    \"*\" | \'*\') value=${value#?} value=${value%?} ;;
    esac
    eval "[ -n \"\${$name+set}\" ]" || export "$name=$value"
  done <"$1"
}

check_machine() {
  say 'The machine'
  if ! command -v node >/dev/null; then
    fail 'Node is not on the PATH'
    return
  fi
  wanted=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' "$app/package.json")
  if node -e 'const [a, b] = process.versions.node.split(".").map(Number), [c, d] = process.argv[1].split(".").map(Number);
    process.exit(a > c || (a === c && b >= d) ? 0 : 1)' "$wanted"; then
    ok "Node $(node --version)"
  else
    fail "Node $wanted or later; this is $(node --version)"
  fi
  if [ -f "$app/dist/main.js" ]; then ok 'the orchestrator is compiled'; else fail 'dist/main.js; run "npm run build" first'; fi
  if [ -f "$manager" ]; then ok 'its dependencies are installed'; else fail 'its dependencies; run "npm run build" first'; fi
  # Not in POSIX, but in every shell that a Linux has as sh.
  # shellcheck disable=SC3045
  files=$(ulimit -n)
  if [ "$files" = unlimited ] || [ "$files" -ge 4096 ]; then
    ok "$files open files"
  else
    say "  note     $files open files are few for a public server; ulimit -n 65536"
  fi
  [ "$(id -u)" -ne 0 ] || say '  note     this is root; a user of its own is safer (systemd/signalbox.service has one)'
}

check_settings() {
  say 'The settings'
  [ "${NODE_ENV:-production}" = production ] || fail "NODE_ENV=production; it is $NODE_ENV"
  export NODE_ENV=production
  if said=$(cd "$app" && node dist/main.js --print-config 2>&1 >/dev/null); then
    ok 'the app takes all of them'
  else
    fail "settings that the app takes:"
    printf '%s\n' "$said" | sed 's/^/             /' >&2
  fi
}

# What would keep the manager from starting: its options, the syntax of the program, the address, the folders.
check_manager() {
  say 'The start'
  mkdir -p "$(dirname "$pid_file")" "$(dirname "$output")"
  if said=$(cd "$app" && node "$manager" check-config dist/main.js --workers "$WORKERS" --bind "$bind" --pid-file "$pid_file" 2>&1); then
    ok "$(printf '%s\n' "$said" | head -n 1)"
  else
    fail 'what it takes to start:'
    printf '%s\n' "$said" | sed 's/^/             /' >&2
  fi
}

manage() {
  cd "$app" && exec node "$manager" "$@" --pid-file "$pid_file"
}

case $mode in
status | reload | stop) manage "$mode" ;;
esac

[ -n "$env_file" ] || [ ! -f "$app/.env" ] || env_file=$app/.env
if [ -n "$env_file" ]; then
  [ -r "$env_file" ] || die "there is no file $env_file to read"
  read_settings "$env_file"
fi
case $mode in
single) WORKERS=1 ;;
check) WORKERS=${workers:-${WORKERS:-1}} ;;
*) WORKERS=${workers:-${WORKERS:-2}} ;;
esac
export WORKERS
if [ "$mode" = single ] && [ -n "$bind" ]; then
  case $bind in
  unix:*) die 'single listens on a socket by the setting SOCKET' 2 ;;
  *:*) HOST=${bind%:*} PORT=${bind##*:} ;;
  *) PORT=$bind ;;
  esac
  export HOST PORT
  unset SOCKET
fi
[ -n "$bind" ] || [ -z "${SOCKET:-}" ] || bind=unix:$(cd "$app" && absolute "$SOCKET")
# Beside a port, IPv6 stands in brackets.
case ${HOST:=127.0.0.1} in
\[*) ;;
*:*) HOST="[$HOST]" ;;
esac
bind=${bind:-$HOST:${PORT:-8889}}

check_machine
if [ "$failures" -eq 0 ]; then
  check_settings
  check_manager
fi
[ "$failures" -eq 0 ] || die "not started: $failures of the above is missing"

cd "$app"
case $mode in
check) say 'All is there; nothing was started.' ;;
single)
  say "Starting one process on $bind."
  exec node dist/main.js
  ;;
cluster)
  say "Starting $WORKERS workers on $bind."
  exec node "$manager" start dist/main.js --workers "$WORKERS" --bind "$bind" --pid-file "$pid_file"
  ;;
daemon)
  say "Starting $WORKERS workers on $bind in the background."
  node "$manager" start dist/main.js --workers "$WORKERS" --bind "$bind" --pid-file "$pid_file" --daemon --output-file "$output"
  node "$manager" status --pid-file "$pid_file"
  ;;
esac
