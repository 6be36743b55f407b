#!/bin/sh
# nginx with the pub/sub module nchan, from Debian's libnginx-mod-nchan. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
nginx=/usr/sbin/nginx
module=/usr/lib/nginx/modules/ngx_nchan_module.so

# nginx cannot choose a port: it takes those of `with`, which tries others if they are gone.
start() {
	user=
	if [ "$(id -u)" = 0 ]; then # else the workers become nobody, who may not enter WSQ_DIR
		user="user root;"
	fi
	sed -e "s|@MODULE@|$module|; s|@USER@|$user|; s|@PORT@|$WSQ_PORT|; s|@TLS_PORT@|$WSQ_TLS_PORT|" \
		-e "s|@CERT@|$WSQ_CERT|; s|@KEY@|$WSQ_KEY|" "$here/nginx.conf" >"$WSQ_DIR/nginx.conf"
	echo "ready ws://127.0.0.1:$WSQ_PORT/ wss://127.0.0.1:$WSQ_TLS_PORT/"
	exec "$here/../keep" "$WSQ_PORT" "$nginx" -p "$WSQ_DIR" -c nginx.conf -e stderr
}

version() {
	"$nginx" -v 2>&1 | sed -n 's|.*nginx/|nginx |p' | tr '\n' ' '
	dpkg-query -W -f '${Version}' libnginx-mod-nchan | sed -E 's/^[0-9]+://; s/[+-].*//; s/^/nchan /'
}

case ${1-} in
pinned) echo "nginx 1.22.1 nchan 1.3.6" ;;
version) [ -e "$module" ] && version ;;
install) exec "$here/../apt-install" nginx libnginx-mod-nchan ;;
start) start ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
