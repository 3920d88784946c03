#!/bin/sh
# Makes what docker-compose.yml reads as secrets, where they are not there yet.
set -eu
folder="${1:-secrets}"
# The folder keeps other users out. The files do not: in a container they have the owner that they have here, and are
# read by other users (of PostgreSQL, of Grafana, ours).
mkdir -p "$folder"
chmod 700 "$folder"
umask 022
cd "$folder"
for name in postgres_password grafana_password; do
    [ -s "$name" ] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$name"
done
[ -s catalog ] || echo "postgresql://softspoken:$(cat postgres_password)@postgres/softspoken" > catalog
