#!/bin/sh
# sockudo, a server of Pusher channels, from crates.io. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

# It builds for a quarter of an hour: nothing but what runs alone, in memory, and little optimized.
case ${1-} in
pinned) echo "sockudo 5.2.0" ;;
version) [ -x "$WSQ_BUILD/bin/sockudo" ] && "$WSQ_BUILD/bin/sockudo" --version ;;
install)
	command -v cargo >/dev/null || { echo "cargo is not installed" >&2; exit 77; }
	if ! command -v protoc >/dev/null || [ ! -r /usr/include/google/protobuf/timestamp.proto ]; then
		"$here/../apt-install" protobuf-compiler libprotobuf-dev
	fi
	CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		CARGO_PROFILE_RELEASE_STRIP=true CARGO_TARGET_DIR=$WSQ_BUILD/target \
		nice -n 19 cargo install --quiet --locked -j 1 --version 5.2.0 --no-default-features --features local \
		--root "$WSQ_BUILD" sockudo
	rm -r "${WSQ_BUILD:?}/target"
	;;
start)
	echo "ready ws://127.0.0.1:$WSQ_PORT/app/app-key"
	export HOST=127.0.0.1 PORT="$WSQ_PORT" RUST_LOG=warn
	exec "$here/../keep" "$WSQ_PORT" "$WSQ_BUILD/bin/sockudo" --config "$here/config.toml"
	;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
