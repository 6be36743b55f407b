#!/bin/sh
# Centrifugo, built from its Go module. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

# It builds for minutes; what it says of its version is only set by its own release builds, so the module is asked.
case ${1-} in
pinned) echo "centrifugo v5.4.9" ;;
version) go version -m "$WSQ_BUILD/centrifugo" | awk '$1 == "mod" || $2 == "github.com/centrifugal/centrifugo/v5" && NF > 2 { print "centrifugo", $3; exit }' ;;
install)
	command -v go >/dev/null || { echo "Go is not installed" >&2; exit 77; }
	cp "$here/go.mod" "$here/go.sum" "$here/tools.go" "$WSQ_BUILD/"
	cd "$WSQ_BUILD"
	GOTOOLCHAIN=local exec nice go build -mod=mod -p 1 -o centrifugo github.com/centrifugal/centrifugo/v5
	;;
start)
	echo "ready ws://127.0.0.1:$WSQ_PORT/connection/websocket"
	exec "$here/../keep" "$WSQ_PORT" "$WSQ_BUILD/centrifugo" --config "$here/config.json" --port "$WSQ_PORT" --log_level warn
	;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
