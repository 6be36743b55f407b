#!/bin/sh
# The Go package github.com/coder/websocket, from the Go module proxy. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

case ${1-} in
pinned) echo "coder/websocket v1.8.15" ;;
version) go version -m "$WSQ_BUILD/echo" | awk '$2 == "github.com/coder/websocket" { print "coder/websocket", $3 }' ;;
install)
	command -v go >/dev/null || { echo "go is not installed" >&2; exit 77; }
	cd "$here" && GOTOOLCHAIN=local GOFLAGS=-mod=readonly nice go build -p 1 -o "$WSQ_BUILD/echo" .
	;;
start) exec "$WSQ_BUILD/echo" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
