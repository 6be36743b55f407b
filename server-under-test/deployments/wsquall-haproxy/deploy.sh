#!/bin/sh
# Nodes of wsquall-server with one Redis behind haproxy. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
server=${WSQ_SERVER:-$here/../../../build/wsquall-server}

version() {
	haproxy -v | sed -nE 's/^HAProxy version ([0-9.]+).*/haproxy \1/p' | tr '\n' ' '
	redis-server --version | sed -E 's/.* v=([0-9.]+) .*/redis \1/' | tr '\n' ' '
	"$server" --version
}

case ${1-} in
pinned) echo "haproxy 2.6.12 redis 7.0.15 $("$server" --version)" ;;
version) version ;;
install) exec "$here/../apt-install" haproxy redis-server ;;
start) exec "$here/../nodes" haproxy "$here" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
