#!/bin/sh
# graphql-ws over ws, from npm. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

case ${1-} in
pinned) echo "graphql-ws 6.0.6" ;;
version) node -p '"graphql-ws " + require(process.argv[1] + "/node_modules/graphql-ws/package.json").version' "$WSQ_BUILD" ;;
install)
	command -v npm >/dev/null || { echo "npm is not installed" >&2; exit 77; }
	cp "$here/package.json" "$here/package-lock.json" "$WSQ_BUILD/"
	cd "$WSQ_BUILD"
	exec npm ci --no-audit --no-fund --loglevel=error
	;;
start) exec "$here/../keep" "$WSQ_PORT" node "$here/server.mjs" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
