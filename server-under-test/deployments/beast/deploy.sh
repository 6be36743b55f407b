#!/bin/sh
# The C++ library Boost.Beast, from Debian's libboost-dev. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")

case ${1-} in
pinned) echo "Boost.Beast 1.74" ;;
version) "$WSQ_BUILD/echo" --version ;;
install)
	command -v g++ >/dev/null || { echo "g++ is not installed" >&2; exit 77; }
	echo '#include <boost/beast.hpp>' | g++ -fsyntax-only -x c++ - 2>/dev/null || "$here/../apt-install" libboost-dev
	echo '#include <openssl/ssl.h>' | g++ -fsyntax-only -x c++ - 2>/dev/null || "$here/../apt-install" libssl-dev
	exec nice g++ -std=c++17 -O1 -o "$WSQ_BUILD/echo" "$here/echo.cpp" -lssl -lcrypto -pthread
	;;
start) exec "$WSQ_BUILD/echo" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
