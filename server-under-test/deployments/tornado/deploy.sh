#!/bin/sh
# The Python library tornado, from Debian's python3-tornado. The verbs are explained in ../README.md.
set -eu
here=$(dirname "$(readlink -f "$0")")
# Not whatever python3 comes first in PATH: the library is a package of Debian's own Python.
python=/usr/bin/python3

case ${1-} in
pinned) echo "tornado 6.2" ;;
version) "$python" -I -c 'import tornado; print("tornado", tornado.version)' ;;
install) exec "$here/../apt-install" python3-tornado ;;
start) exec "$python" -I "$here/echo.py" ;;
*) echo "usage: $0 pinned|version|install|start" >&2; exit 64 ;;
esac
