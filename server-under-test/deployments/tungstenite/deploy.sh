#!/bin/sh
# The Rust crate tokio-tungstenite, from crates.io. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

locked() { # from the lock file that the server was built with
	awk '$1 == "name" { name = $3 } $1 == "version" && name == "\"tokio-tungstenite\"" { gsub(/"/, ""); print "tokio-tungstenite", $3 }' "$1"
}

case ${1-} in
pinned) locked "$here/Cargo.lock" ;;
version) [ -x "$WSQ_BUILD/echo" ] && locked "$WSQ_BUILD/Cargo.lock" ;;
install)
	command -v cargo >/dev/null || { echo "cargo is not installed" >&2; exit 77; }
	nice cargo build --quiet --release --locked -j 1 --manifest-path "$here/Cargo.toml" --target-dir "$WSQ_BUILD/target"
	cp "$here/Cargo.lock" "$WSQ_BUILD/Cargo.lock"
	mv "$WSQ_BUILD/target/release/echo" "$WSQ_BUILD/echo"
	rm -r "${WSQ_BUILD:?}/target"
	;;
start) exec "$WSQ_BUILD/echo" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
