#!/bin/sh
# The MQTT broker mosquitto with WebSocket listeners, from Debian. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
mosquitto=/usr/sbin/mosquitto

# It cannot choose a port: it takes those of `with`.
start() {
	sed -e "s|@PORT@|$WSQ_PORT|; s|@TLS_PORT@|$WSQ_TLS_PORT|; s|@CERT@|$WSQ_CERT|; s|@KEY@|$WSQ_KEY|" \
		-e "s|@USER@|$(id -un)|; s|@DIR@|$WSQ_DIR|" "$here/mosquitto.conf" >"$WSQ_DIR/mosquitto.conf"
	echo "ready ws://127.0.0.1:$WSQ_PORT/mqtt wss://127.0.0.1:$WSQ_TLS_PORT/mqtt"
	exec "$here/../keep" "$WSQ_PORT" "$mosquitto" -c "$WSQ_DIR/mosquitto.conf"
}

case ${1-} in
pinned) echo "mosquitto 2.0.11" ;;
version) [ -x "$mosquitto" ] && "$mosquitto" -h 2>&1 | sed -n 's/^mosquitto version /mosquitto /p' ;;
install) exec "$here/../apt-install" mosquitto ;;
start) start ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
