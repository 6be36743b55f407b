#!/bin/sh
# The Python library aiohttp, from Debian's python3-aiohttp. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
# Not whatever python3 comes first in PATH: the library is a package of Debian's own Python.
python=/usr/bin/python3

case ${1-} in
pinned) echo "aiohttp 3.8.4" ;;
version) "$python" -I -c 'import aiohttp; print("aiohttp", aiohttp.__version__)' ;;
install) exec "$here/../apt-install" python3-aiohttp ;;
start) exec "$python" -I "$here/echo.py" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
