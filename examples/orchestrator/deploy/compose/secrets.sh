#!/bin/sh
# Makes the secrets that compose.yaml names, in secrets/ and .env. What is there already stays as it is.
set -eu
cd "$(dirname "$0")"

# Others do not get into the folder; inside, each container reads its own as a user of its own.
mkdir -p secrets
chmod 700 secrets

random() {
  od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

# keep FILE VALUE
keep() {
  if [ -e "secrets/$1" ]; then
    echo "secrets/$1 stays"
    return
  fi
  (umask 333 && printf '%s' "$2" >"secrets/$1")
  echo "secrets/$1 made"
}

keep secret-keys "$(random 48)"
keep metrics-token "$(random 32)"
keep grafana-password "$(random 16)"
keep postgres-password "$(random 32)"
keep database-url "postgres://signalbox:$(cat secrets/postgres-password)@postgres:5432/signalbox"
# For alerts; empty until you have them.
keep slack-url ''
keep pagerduty-key ''

if [ -e .env ] && grep -q '^SEARXNG_SECRET=' .env; then
  echo '.env stays'
else
  (umask 077 && printf 'SEARXNG_SECRET=%s\n' "$(random 32)" >>.env)
  echo 'SEARXNG_SECRET added to .env'
fi
