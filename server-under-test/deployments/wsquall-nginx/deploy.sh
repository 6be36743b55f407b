#!/bin/sh
# Nodes of wsquall-server with one Redis behind nginx. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
server=${WSQ_SERVER:-$here/../../../build/wsquall-server}

version() {
	/usr/sbin/nginx -v 2>&1 | sed -n 's|.*nginx/|nginx |p' | tr '\n' ' '
	redis-server --version | sed -E 's/.* v=([0-9.]+) .*/redis \1/' | tr '\n' ' '
	"$server" --version
}

case ${1-} in
pinned) echo "nginx 1.22.1 redis 7.0.15 $("$server" --version)" ;;
version) version ;;
install) exec "$here/../apt-install" nginx redis-server ;;
start) exec "$here/../nodes" nginx "$here" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
